"""Clips and places that the tests of files share."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

Clip = NDArray[np.uint8]
NOBODY = 65534


@pytest.fixture
def smooth_clip() -> Callable[..., Clip]:
    """Makes a clip of soft colour gradients that drift: what a video codec is good at."""

    def make(num_frames: int = 9, height: int = 48, width: int = 64) -> Clip:
        t, y, x = np.meshgrid(np.arange(num_frames), np.arange(height), np.arange(width), indexing="ij")
        red = 128 + 90 * np.sin(x / 15 + t / 4)
        green = 128 + 90 * np.sin(y / 13 - t / 5)
        blue = 128 + 90 * np.cos((x + y) / 21 + t / 6)
        return np.stack([red, green, blue], axis=-1).round().astype(np.uint8)

    return make


@pytest.fixture
def noisy_frame() -> Clip:
    """A frame that no codec makes small."""
    return np.random.default_rng(7).integers(0, 256, (96, 160, 3), dtype=np.uint8)


@pytest.fixture
def unwritable_dir() -> Iterator[Path]:
    """A directory that exists and takes no new files. Root is allowed everything, so for a while it is nobody."""
    place = Path(tempfile.mkdtemp())
    place.chmod(0o555)
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(NOBODY)
    try:
        yield place
    finally:
        if was_root:
            os.seteuid(0)
        place.chmod(0o755)
        shutil.rmtree(place)
