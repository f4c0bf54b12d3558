"""A clip back to frames, for tests, evaluation and the doctor. Nothing of streams: it holds the whole clip in memory.

Meant for clips that cinelet wrote. A stranger's file belongs into a process with limits of its own.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

from cinelet.errors import InvalidValueError, NotFoundError, show

GROW_CHROMA = int(Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT)
"""How the halved colour of yuv420p is brought back to full size."""


def read_clip(path: str | os.PathLike[str]) -> tuple[NDArray[np.uint8], float]:
    """The frames, uint8 `[T, H, W, 3]` in red green blue, and the frames per second.

    A GIF counts hundredths of a second: its rate comes back within a few percent, a single frame's more roughly. Raises
    `NotFoundError` where there is no file, `InvalidValueError` where it is no video.
    """
    if not Path(path).is_file():
        raise NotFoundError(f"clip: there is no file {show(str(path))}")
    try:
        with av.open(str(path), "r") as container:
            stream = container.streams.video[0]
            pictures = list(container.decode(stream))
            fps = gif_fps(pictures) if container.format.name == "gif" and len(pictures) > 1 else float(stream.average_rate or 0)
            return np.stack([to_rgb(picture) for picture in pictures]), fps
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise InvalidValueError("clip", str(path), "must be a video file that can be decoded") from error


def to_rgb(picture: VideoFrame) -> NDArray[np.uint8]:
    """One picture as uint8 `[H, W, 3]`, by the colour space it is tagged with."""
    return cast("NDArray[np.uint8]", picture.reformat(format="rgb24", interpolation=GROW_CHROMA).to_ndarray())


def gif_fps(pictures: list[VideoFrame]) -> float:
    """The rate over the whole clip of at least two pictures: its single delays are rounded to hundredths of a second."""
    return (len(pictures) - 1) / (pictures[-1].time - pictures[0].time)
