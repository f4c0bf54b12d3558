"""A long clip as overlapping windows: which latent frames a model looks at together, and how much each window's answer counts.

Whole numbers only. Nothing of tensors, noise or models: the engine mixes by it, and prices count by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import ceil

OVERLAP = 0.2
"""Share of a window that the next one sees too. More blurs moving things, less leaves seams: docs/decisions/0007."""


@dataclass(frozen=True)
class Window:
    """Latent frames `start` up to `stop`, and the share of this window's answer in each; all windows' shares in a frame add up to 1."""

    start: int
    stop: int
    shares: tuple[float, ...]


def latent_frames(num_frames: int, stride: int) -> int:
    """Latent frames that hold `num_frames` frames: the first stands for one, every other for `stride`. None hold none."""
    return 1 + ceil((num_frames - 1) / stride) if num_frames else 0


@cache
def windows(num_latents: int, length: int) -> tuple[Window, ...]:
    """The windows of a clip of `num_latents` latent frames; one alone where `length` is 0 or the clip is no longer than it.

    They begin at even distances, so that the last one is as long as the others. A window's weight fades towards its ends like a
    triangle, and is never 0: in no frame does one answer give way to another at once.
    """
    if length == 0 or num_latents <= length:
        return (Window(0, num_latents, (1.0,) * num_latents),)
    count = 1 + ceil((num_latents - length) / _distance(length))
    starts = [i * (num_latents - length) // (count - 1) for i in range(count)]
    fade = [min(1 + i, length - i) for i in range(length)]
    sums = [0] * num_latents
    for start in starts:
        for i, weight in enumerate(fade, start):
            sums[i] += weight
    return tuple(Window(start, start + length, tuple(weight / sums[i] for i, weight in enumerate(fade, start))) for start in starts)


def _distance(length: int) -> int:
    """How far the next window begins."""
    return max(1, length - round(OVERLAP * length))
