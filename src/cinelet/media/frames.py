"""The form of frames, and the choice among them. Nothing of files or of codecs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cinelet.errors import InvalidValueError


def check_frames(frames: NDArray[np.uint8]) -> None:
    """A clip is uint8 `[T, H, W, 3]` with at least one frame and one pixel. Raises `InvalidValueError`."""
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or 0 in frames.shape:
        raise InvalidValueError("frames", form(frames), "must be uint8 [T, H, W, 3] with at least one frame")


def check_frame(frame_HWC: NDArray[np.uint8], width: int, height: int) -> None:
    """A frame must have the size its clip was opened with. Raises `InvalidValueError`."""
    if frame_HWC.dtype != np.uint8 or frame_HWC.shape != (height, width, 3):
        raise InvalidValueError("frame", form(frame_HWC), f"must be uint8 [{height}, {width}, 3] like the clip it belongs to")


def form(array: NDArray[np.generic]) -> str:
    """Data type and shape, as a message shows them."""
    return f"{array.dtype} {list(array.shape)}"


def pad_to_even(frame_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The frame with an odd width or height made even by repeating its last column or row."""
    height, width, _ = frame_HWC.shape
    if height % 2 == 0 and width % 2 == 0:
        return frame_HWC
    return np.pad(frame_HWC, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def spread(num_frames: int, max_frames: int) -> list[int]:
    """At most `max_frames` evenly spaced indices, the first and the last frame among them (one alone: the middle)."""
    if max_frames == 1:
        return [num_frames // 2]
    count = min(num_frames, max_frames)
    return [round(i) for i in np.linspace(0, num_frames - 1, count).tolist()]
