"""The still picture that stands for a clip. Nothing of how the clip itself is kept."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cinelet.media.frames import check_frames
from cinelet.media.picture import save_picture


def poster(frames: NDArray[np.uint8], path: str | os.PathLike[str]) -> Path:
    """Write the middle frame of uint8 `[T, H, W, 3]` as .jpg, .png or .webp, and return its path.

    Raises `InvalidValueError` for frames or a path that cannot serve, `UnavailableError` where the disk is full.
    """
    check_frames(frames)
    return save_picture(Image.fromarray(np.ascontiguousarray(frames[len(frames) // 2])), path)
