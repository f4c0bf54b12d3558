"""A clip that a service made, in the hands of the caller. It holds the MP4; nothing here knows a connection or a codec."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cinelet.sdk.job import RemoteJob
from cinelet.sdk.part_file import PartFile

Frames = NDArray[np.uint8]


class Codec(Protocol):
    """Files and frames, handed in by whoever has a codec. Both raise `RequestError` where none is installed."""

    def decode(self, content: bytes) -> Frames:
        """The frames of an MP4, uint8 `[T, H, W, C]`."""

    def encode(self, frames: Frames, path: Path, fps: int, title: str) -> None:
        """Write frames in the format that the suffix of `path` names."""


class RemoteResult(Mapping[str, Any]):
    """A finished clip with the keys of the in-process result: `["tensor"]`, `["fps"]`, `["seed"]`, `["plan"]`,
    `["stage_durations_s"]`, `["warnings"]`, and `["id"]`.

    The tensor, uint8 `[T, H, W, C]`, is decoded from the MP4 when it is first asked for, which needs
    `pip install cinelet[engine]`; the rest needs nothing. `["plan"]` is None where the service does not tell all of it.
    """

    def __init__(self, job: RemoteJob, content: bytes, codec: Codec) -> None:
        self.job = job
        self.content = content
        self._codec = codec
        self._values: dict[str, Callable[[], Any]] = {
            "tensor": lambda: self._frames,
            "fps": lambda: self._fps,
            "seed": lambda: job.seed,
            "plan": lambda: job.plan,
            "stage_durations_s": lambda: job.stage_durations_s,
            "warnings": lambda: list(job.warnings),
            "id": lambda: job.id,
        }

    def __getitem__(self, key: str) -> Any:
        """One value by its name."""
        return self._values[key]()

    def __iter__(self) -> Iterator[str]:
        """The names of the values."""
        return iter(self._values)

    def __len__(self) -> int:
        """How many values there are."""
        return len(self._values)

    def save(self, path: str | Path) -> Path:
        """Write the clip. An `.mp4` is the service's file as it is; WebM and GIF are encoded from its frames here."""
        if Path(path).suffix.lower() != ".mp4":
            self._codec.encode(self._frames, Path(path), self._fps, self.job.prompt or "")
            return Path(path)
        with PartFile(path) as sink:
            sink.write(self.content)
        return Path(path)

    @cached_property
    def _frames(self) -> Frames:
        return self._codec.decode(self.content)

    @property
    def _fps(self) -> int:
        fps = self.job.raw.get("fps")
        return round(fps) if isinstance(fps, (int, float)) else 0
