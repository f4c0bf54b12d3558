"""A finished clip for people, and its way in and out of files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinelet.extras import extra
from cinelet.video import Video


class Result(Mapping[str, Any]):
    """A finished clip for people: `result["tensor"]`, `["fps"]`, `["seed"]`, `["plan"]`, `["stage_durations_s"]`, `["warnings"]`.

    The tensor is uint8 `[T, H, W, C]`, red, green, blue, and the caller's to keep.
    """

    def __init__(self, video: Video, warnings: Sequence[str] = ()) -> None:
        self.video = video
        self._values = {
            "tensor": video.frames,
            "fps": video.fps,
            "seed": video.plan.seed,
            "plan": video.plan,
            "stage_durations_s": video.stage_durations_s,
            "warnings": list(warnings),
        }

    def __getitem__(self, key: str) -> Any:
        """One value by its name."""
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        """The names of the values."""
        return iter(self._values)

    def __len__(self) -> int:
        """How many values there are."""
        return len(self._values)

    def save(self, path: str | Path) -> Path:
        """Write the clip as MP4, WebM or GIF, by the suffix. An older file is replaced whole."""
        MediaCodec().encode(self.video.frames, Path(path), self.video.fps, self.video.plan.prompt)
        return Path(path)


class MediaCodec:
    """The codec of `cinelet.media` for results that came from a service. Raises `RequestError` where it is not installed."""

    def decode(self, content: bytes) -> NDArray[np.uint8]:
        """The frames of an MP4, uint8 `[T, H, W, C]`."""
        with extra("engine"):
            from cinelet.media import read_clip  # noqa: PLC0415
        with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
            file.write(content)
            file.flush()
            return read_clip(file.name)[0]

    def encode(self, frames: NDArray[np.uint8], path: Path, fps: int, title: str) -> None:
        """Write frames as MP4, WebM or GIF, by the suffix."""
        with extra("engine"):
            from cinelet.media import write_clip  # noqa: PLC0415
        write_clip(frames, path, fps, metadata={"title": title})
