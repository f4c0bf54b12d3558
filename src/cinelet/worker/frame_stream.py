"""The frames of one clip on their way from the decoder to the encoder, which works in another thread while more are decoded.

Knows nothing of jobs, stores or codecs' settings.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cinelet.media import Muxer
from cinelet.video import Plan, Video


class AbandonedError(Exception):
    """The clip will not be finished here: its encoder may stop."""


class _BeganAgainError(Exception):
    """The decoder ran out of memory and began again, in another way: what was encoded so far is of another decode."""


class FrameStream:
    """Filled by one thread with `put`, then `close` or `abandon`; emptied by another with `encode` and `video`."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._frames: list[NDArray[np.uint8]] = []
        self._decode = 0
        self._video: Video | None = None
        self._is_abandoned = False
        self.closed_at = 0.0

    def put(self, start: int, frames_THWC: NDArray[np.uint8]) -> None:
        """More frames, the first of them the clip's frame `start`. They are kept, not copied."""
        with self._changed:
            if start < len(self._frames):
                self._decode += 1
                del self._frames[start:]
            self._frames.extend(frames_THWC)
            self._changed.notify_all()

    def close(self, video: Video) -> None:
        """All frames are there, and what is known of the clip; `closed_at` says when (monotonic seconds)."""
        with self._changed:
            self.closed_at = time.perf_counter()
            self._video = video
            self._changed.notify_all()

    def abandon(self) -> None:
        """Nothing will come any more; nothing where the stream was closed."""
        with self._changed:
            self._is_abandoned = self._video is None
            self._changed.notify_all()

    def encode(self, path: Path, plan: Plan, metadata: Mapping[str, str]) -> Path:
        """Write the clip while it comes. Raises `AbandonedError`, and what `Muxer` raises."""
        while True:
            try:
                with Muxer(path, width=plan.width, height=plan.height, fps=plan.fps, metadata=metadata) as muxer:
                    for frame_HWC in self._follow(plan.num_frames):
                        muxer.write(frame_HWC)
            except _BeganAgainError:
                continue
            return path

    def video(self) -> Video:
        """The whole clip; waits for it. Raises `AbandonedError`."""
        with self._changed:
            self._changed.wait_for(lambda: self._video is not None or self._is_abandoned)
            if self._video is None:
                raise AbandonedError
            return self._video

    def _follow(self, num_frames: int) -> Iterator[NDArray[np.uint8]]:
        decode = self._decode
        for number in range(num_frames):
            with self._changed:
                while len(self._frames) <= number and not self._is_abandoned and self._decode == decode:
                    self._changed.wait()
                if self._decode != decode:
                    raise _BeganAgainError
                if self._is_abandoned:
                    raise AbandonedError
                frame_HWC = self._frames[number]
            yield frame_HWC
