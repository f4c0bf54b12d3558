"""Looks that a style adapter can learn: each turns a clip of the storybook world into the same clip seen another way."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Clip = NDArray[np.uint8]
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""How bright each primary looks (ITU-R BT.601)."""
NIGHT_LIGHT = np.array([0.34, 0.42, 0.72], np.float32)
NIGHT_GREY = 0.45
"""How much of a colour is lost in the dark."""
PAPER, GRAPHITE = np.array([244, 241, 232], np.float32), np.array([58, 58, 66], np.float32)
PENCIL_TONE, PENCIL_EDGE = 0.35, 3.0


def night(clip: Clip) -> Clip:
    """Dim, bluish, with less colour."""
    pixels = clip.astype(np.float32)
    grey = (pixels @ LUMA)[..., None]
    return _bytes((pixels + NIGHT_GREY * (grey - pixels)) * NIGHT_LIGHT)


def pencil(clip: Clip) -> Clip:
    """Light grey tones on paper, and a dark line where brightness changes."""
    grey = clip.astype(np.float32) @ LUMA / 255
    edges = sum(np.abs(np.diff(grey, axis=axis, append=grey.take([-1], axis=axis))) for axis in (1, 2))
    ink = np.clip(PENCIL_TONE * (1 - grey) + PENCIL_EDGE * edges, 0, 1)[..., None]
    return _bytes(PAPER + ink * (GRAPHITE - PAPER))


def _bytes(pixels: NDArray[np.float32]) -> Clip:
    return pixels.round().clip(0, 255).astype(np.uint8)


STYLES: dict[str, Callable[[Clip], Clip]] = {"night": night, "pencil": pencil}
