"""A clip at a glance: evenly spaced frames in a grid, each with its number and time. Nothing of how the clip itself is kept."""

from __future__ import annotations

import os
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from cinelet.media.frames import check_frames, spread
from cinelet.media.picture import save_picture
from cinelet.video import MAX_FPS, check_integer

MARGIN = 8
MIN_LABEL_SIZE = 12
SMALL_WIDTH = 320
"""Frames narrower than this many pixels are shown at twice their size."""
MAX_TILES = 100

PAPER = (24, 24, 27)
INK = (228, 228, 231)
FAINT_INK = (150, 150, 158)


def contact_sheet(
    frames: NDArray[np.uint8],
    path: str | os.PathLike[str],
    *,
    fps: int | None = None,
    columns: int = 3,
    max_frames: int = 9,
) -> Path:
    """Write evenly spaced frames of uint8 `[T, H, W, 3]`, the first and the last among them, and return the path.

    Each tile is labelled with its frame number, and with its time where `fps` is given. Nine tiles divide the usual lengths
    (17, 41, 81, 121 frames) into equal strides. Raises `InvalidValueError` for frames, numbers or a path that cannot serve,
    `UnavailableError` where the disk is full.
    """
    check_frames(frames)
    check_integer("fps", fps, 1, MAX_FPS)
    check_integer("columns", columns, 1, MAX_TILES)
    check_integer("max_frames", max_frames, 1, MAX_TILES)
    chosen = spread(len(frames), max_frames)
    columns = min(columns, len(chosen))
    tiles = [Image.fromarray(np.ascontiguousarray(frames[i])) for i in chosen]
    scale = 2 if tiles[0].width < SMALL_WIDTH else 1
    width, height = tiles[0].width * scale, tiles[0].height * scale
    label_size = max(MIN_LABEL_SIZE, width // 40)
    row_height = height + label_size + MARGIN + MARGIN // 2
    rows = ceil(len(tiles) / columns)
    sheet = Image.new("RGB", (MARGIN + columns * (width + MARGIN), MARGIN + rows * row_height), PAPER)
    draw = ImageDraw.Draw(sheet)
    for place, (tile, i) in enumerate(zip(tiles, chosen, strict=True)):
        left, top = MARGIN + place % columns * (width + MARGIN), MARGIN + place // columns * row_height
        sheet.paste(tile.resize((width, height), Image.Resampling.LANCZOS), (left, top))
        time = "" if fps is None else f"{i / fps:.2f} s"
        write_label(draw, left=left, top=top + height, width=width, size=label_size, number=str(i), time=time)
    return save_picture(sheet, path)


def write_label(draw: ImageDraw.ImageDraw, *, left: int, top: int, width: int, size: int, number: str, time: str) -> None:
    """The frame's number under its left edge, and its time under its right one where both fit."""
    font = ImageFont.load_default(size)
    middle = top + MARGIN // 2 + size // 2
    draw.text((left, middle), number, INK, font, anchor="lm")
    if draw.textlength(f"{number}  {time}", font) <= width:
        draw.text((left + width, middle), time, FAINT_INK, font, anchor="rm")
