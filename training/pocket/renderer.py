"""Draws a `Scene` as a clip: a still place, one subject that moves. Knows nothing of captions or of any model.

Everything the labels do not decide (where the sun stands, where the subject starts, how large it is) comes from the
scene's seed, so equal scenes give equal frames.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import cos, pi, sin

import numpy as np
from numpy.typing import NDArray
from PIL import ImageDraw

from training.pocket.places import PLACES, RGB
from training.pocket.subjects import INK, SHAPES
from training.pocket.world import HEIGHT, NUM_FRAMES, WIDTH, Scene

SUPERSAMPLE = 2
BODY: dict[str, RGB] = {
    "red": (222, 42, 46),
    "green": (40, 170, 66),
    "blue": (44, 92, 224),
    "yellow": (252, 216, 44),
    "purple": (140, 58, 190),
    "orange": (248, 136, 30),
    "pink": (252, 146, 194),
    "white": (248, 248, 246),
}


@dataclass(frozen=True)
class Pose:
    """Where the subject is at one instant, in shares of the picture (centre, half size) and radians."""

    x: float
    y: float
    size: float
    stretch: float = 1.0
    angle: float = 0.0
    flip: bool = False


def pose_at(motion: str, t: float, rng: random.Random) -> Pose:
    """The pose at `t` in 0..1; draws the same few numbers from `rng` for every `t`, so pass a fresh copy each time."""
    x0, y0 = 0.5 + rng.uniform(-0.03, 0.03), 0.56 + rng.uniform(-0.02, 0.02)
    size = 0.27 * rng.uniform(0.97, 1.03)
    phase = rng.uniform(-0.25, 0.25) + rng.choice((0.0, pi))
    travel = 2 * t - 1
    match motion:
        case "left":
            return Pose(x0 - 0.27 * travel, y0, size, flip=True)
        case "right":
            return Pose(x0 + 0.27 * travel, y0, size)
        case "rising":
            return Pose(x0, 0.52 - 0.28 * travel, size * 0.88)
        case "falling":
            return Pose(x0, 0.52 + 0.28 * travel, size * 0.88)
        case "bouncing":
            hop = abs(sin(2 * pi * t + phase / 2))
            return Pose(x0, 0.7 - 0.36 * hop, size * 0.88, stretch=0.78 + 0.3 * min(1.0, 2 * hop))
        case "spinning":
            return Pose(x0, y0, size, angle=-2 * pi * 0.75 * t + phase / 4)
        case "growing":
            return Pose(x0, y0, size * (0.42 + 0.95 * t))
        case "dancing":
            sway = sin(2 * pi * 2 * t + phase)
            return Pose(x0 + 0.055 * sway, y0 - 0.03 * abs(sway), size, angle=-0.38 * sway)
    raise ValueError(f"motion {motion!r} is unknown")


def _paint(colour: str) -> dict[str, RGB]:
    """The subject's palette: fixed inks and three tones of its own colour."""
    r, g, b = BODY[colour]
    return {
        **INK,
        "body": (r, g, b),
        "shade": (int(r * 0.72), int(g * 0.72), int(b * 0.74)),
        "light": (int(r + (255 - r) * 0.45), int(g + (255 - g) * 0.45), int(b + (255 - b) * 0.45)),
    }


def _place_points(points: list[tuple[float, float]], pose: Pose, width: int, height: int) -> list[tuple[float, float]]:
    c, s = cos(pose.angle), sin(pose.angle)
    scale = pose.size * height
    mirror = -1.0 if pose.flip else 1.0
    cx, cy = pose.x * width, pose.y * height
    return [
        (cx + scale * (c * mirror * x - s * y * pose.stretch), cy - scale * (s * mirror * x + c * y * pose.stretch))
        for x, y in points
    ]  # fmt: skip


def render(scene: Scene, num_frames: int = NUM_FRAMES, width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    """The clip as uint8 `[T, H, W, C]`, red green blue."""
    big = (width * SUPERSAMPLE, height * SUPERSAMPLE)
    background = PLACES[scene.scene](random.Random(scene.seed), *big)
    paint = _paint(scene.colour)
    frames = np.empty((num_frames, height, width, 3), np.uint8)
    for i in range(num_frames):
        pose = pose_at(scene.motion, i / max(1, num_frames - 1), random.Random(scene.seed ^ 0x5EED))
        canvas = background.copy()
        draw = ImageDraw.Draw(canvas)
        placed = [(_place_points(points, pose, *big), name) for points, name in SHAPES[scene.subject]]
        for points, _ in placed:
            draw.line([*points, points[0], points[1]], fill=INK["dark"], width=2 * SUPERSAMPLE, joint="curve")
        for points, name in placed:
            draw.polygon(points, fill=paint[name])
        frames[i] = np.asarray(canvas.reduce(SUPERSAMPLE))
    return frames
