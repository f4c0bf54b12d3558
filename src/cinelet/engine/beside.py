"""Decoding beside denoising: one thread, with a stream of its own on a GPU. Knows no models and no clips.

A denoising step fills a large device with a few large products; a decode is many small convolutions with gaps between them. Where both
run at once the gaps are used. On a CPU both want the same cores, and one after the other is faster.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


@dataclass(frozen=True)
class Decoded:
    """Frames uint8 `[T, H, W, C]` and the seconds that they took, the others' share of the device included."""

    frames: NDArray[np.uint8]
    seconds: float


class Beside:
    """Runs decodes one after the other in the background. Their order of kernels follows what the caller had asked of the device before."""

    def __init__(self, device: torch.device, clock: Callable[[], float]) -> None:
        self._device = device
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "cinelet-decode")  # the thread starts with the first decode
        self._stream: Any = None
        self._running: set[Future[Decoded]] = set()

    def begin(self, decode: Callable[[], NDArray[np.uint8]]) -> Future[Decoded]:
        """Have `decode` run. Its error comes with the result; nobody but `wait` waits for it."""
        self._running = {future for future in self._running if not future.done()}
        ready = None
        if self._device.type == "cuda":
            self._stream = torch.cuda.Stream(self._device) if self._stream is None else self._stream
            ready = torch.cuda.Event()
            ready.record(torch.cuda.current_stream(self._device))
        future = self._thread.submit(self._run, decode, ready)
        self._running.add(future)
        return future

    def wait(self) -> bool:
        """Until nothing runs here; whether anything did."""
        was_busy = any(not future.done() for future in self._running)
        wait(self._running)
        return was_busy

    def _run(self, decode: Callable[[], NDArray[np.uint8]], ready: Any) -> Decoded:
        began = self._clock()
        with torch.no_grad(), nullcontext() if ready is None else torch.cuda.stream(self._stream):
            if ready is not None:
                self._stream.wait_event(ready)
            return Decoded(decode(), self._clock() - began)
