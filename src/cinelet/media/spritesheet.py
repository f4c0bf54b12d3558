"""All frames of a clip in one picture, for scrubbing: equal tiles, row by row, no labels. Nothing of how the clip itself is kept."""

from __future__ import annotations

import io
import os
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cinelet.media.frames import check_frames, spread
from cinelet.media.picture import save_picture

COLUMNS = 5
MAX_TILES = 25
MAX_TILE_WIDTH = 240
"""Pixels: enough to recognise a frame under a thumb, and 25 of them stay below every decoder's limits."""


def spritesheet(frames: NDArray[np.uint8], path: str | os.PathLike[str]) -> Path:
    """Write up to 25 evenly spaced frames of uint8 `[T, H, W, 3]`, five a row, and return the path. Raises what `poster` raises."""
    check_frames(frames)
    chosen = spread(len(frames), MAX_TILES)
    tiles = [shrunk(frames[i]) for i in chosen]
    width, height = tiles[0].size
    columns = min(COLUMNS, len(tiles))
    sheet = Image.new("RGB", (columns * width, ceil(len(tiles) / columns) * height))
    for i, tile in enumerate(tiles):
        sheet.paste(tile, (i % columns * width, i // columns * height))
    return save_picture(sheet, path)


def animation(frames: NDArray[np.uint8], duration_s: float) -> bytes:
    """Frames of uint8 `[T, H, W, 3]` as a small endless WebP loop of `duration_s` seconds: a preview while the clip is made."""
    check_frames(frames)
    pictures = [shrunk(frame) for frame in frames]
    out = io.BytesIO()
    pause_ms = max(20, round(1000 * duration_s / len(pictures)))
    pictures[0].save(out, "WEBP", save_all=True, append_images=pictures[1:], duration=pause_ms, loop=0, quality=60, method=0)
    return out.getvalue()


def shrunk(frame_HWC: NDArray[np.uint8]) -> Image.Image:
    """The frame, at most `MAX_TILE_WIDTH` wide."""
    picture = Image.fromarray(np.ascontiguousarray(frame_HWC))
    if picture.width <= MAX_TILE_WIDTH:
        return picture
    return picture.resize((MAX_TILE_WIDTH, max(1, round(picture.height * MAX_TILE_WIDTH / picture.width))), Image.Resampling.BOX)
