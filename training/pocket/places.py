"""The eight places: one still background picture each, varied a little by a random state. Nothing of subjects or time."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import pi, sin

from PIL import Image, ImageDraw

RGB = tuple[int, int, int]
Draw = ImageDraw.ImageDraw


def _sky(size: tuple[int, int], top: RGB, bottom: RGB) -> Image.Image:
    """A vertical gradient from `top` to `bottom` over `size` (width, height)."""
    ramp = Image.linear_gradient("L").resize(size)
    return Image.composite(Image.new("RGB", size, bottom), Image.new("RGB", size, top), ramp)


def _disc(draw: Draw, x: float, y: float, r: float, fill: RGB) -> None:
    draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)


def _hills(draw: Draw, w: int, h: int, base: float, swing: float, phase: float, fill: RGB, waves: float = 1.2) -> None:
    """A rolling ground whose edge swings by `swing` around `base` (shares of the height)."""
    edge = [(x, h * (base + swing * sin(waves * 2 * pi * x / w + phase))) for x in range(0, w + 8, 8)]
    draw.polygon([*edge, (w + 8, h), (0, h)], fill=fill)


def _cloud(draw: Draw, x: float, y: float, r: float, fill: RGB) -> None:
    for dx, dy, k in ((-1.1, 0.25, 0.7), (0.0, 0.0, 1.0), (1.1, 0.25, 0.75)):
        _disc(draw, x + dx * r, y + dy * r, k * r, fill)


def _pine(draw: Draw, x: float, y: float, s: float, fill: RGB) -> None:
    for k in range(3):
        top = y - s * (0.55 + 0.45 * k)
        half = s * (0.5 - 0.11 * k)
        draw.polygon([(x - half, top + s * 0.55), (x + half, top + s * 0.55), (x, top - s * 0.15)], fill=fill)


def _day(rng: random.Random, w: int, h: int) -> Image.Image:
    picture = _sky((w, h), (96, 178, 246), (196, 230, 252))
    draw = ImageDraw.Draw(picture)
    _disc(draw, w * rng.uniform(0.78, 0.9), h * 0.17, h * 0.1, (255, 226, 90))
    _cloud(draw, w * rng.uniform(0.12, 0.35), h * rng.uniform(0.14, 0.24), h * 0.08, (255, 255, 255))
    _cloud(draw, w * rng.uniform(0.45, 0.65), h * rng.uniform(0.1, 0.2), h * 0.06, (255, 255, 255))
    _hills(draw, w, h, 0.78, 0.04, rng.uniform(0, 2 * pi), (128, 204, 106))
    return picture


def _night(rng: random.Random, w: int, h: int) -> Image.Image:
    picture = _sky((w, h), (12, 14, 44), (44, 46, 104))
    draw = ImageDraw.Draw(picture)
    for i in range(14):
        _disc(draw, w * (i + rng.uniform(0.1, 0.9)) / 14, h * ((i * 5 % 14) / 14 * 0.55 + 0.04), h * 0.012, (240, 240, 220))
    x, y = w * rng.uniform(0.12, 0.24), h * 0.2
    _disc(draw, x, y, h * 0.11, (246, 240, 204))
    _disc(draw, x + h * 0.05, y - h * 0.03, h * 0.095, (20, 22, 56))
    _hills(draw, w, h, 0.8, 0.04, rng.uniform(0, 2 * pi), (22, 40, 52))
    return picture


def _sunset(rng: random.Random, w: int, h: int) -> Image.Image:
    picture = _sky((w, h), (120, 62, 138), (255, 166, 84))
    draw = ImageDraw.Draw(picture)
    _disc(draw, w * rng.uniform(0.35, 0.65), h * 0.68, h * 0.2, (255, 224, 120))
    _hills(draw, w, h, 0.76, 0.025, rng.uniform(0, 2 * pi), (92, 46, 62))
    _hills(draw, w, h, 0.87, 0.02, rng.uniform(0, 2 * pi), (62, 32, 52), 2.0)
    return picture


def _park(rng: random.Random, w: int, h: int) -> Image.Image:
    picture = _sky((w, h), (150, 212, 244), (222, 242, 240))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, h * 0.58, w, h), fill=(104, 186, 84))
    shift = rng.uniform(-0.04, 0.04)
    for x, s in ((0.08, 1.0), (0.3, 0.8), (0.72, 0.85), (0.93, 1.05)):
        cx = w * (x + shift)
        draw.rectangle((cx - h * 0.02, h * 0.45, cx + h * 0.02, h * 0.63), fill=(112, 76, 48))
        _disc(draw, cx, h * 0.36, h * 0.15 * s, (58, 142, 70))
    draw.polygon([(w * 0.38, h), (w * 0.62, h), (w * 0.53, h * 0.58), (w * 0.49, h * 0.58)], fill=(226, 206, 156))
    for i in range(6):
        _disc(draw, w * (i + rng.uniform(0.2, 0.8)) / 6, h * (0.72 + 0.1 * (i % 3)), h * 0.014, (250, 240, 120))
    return picture


def _sea(rng: random.Random, w: int, h: int) -> Image.Image:
    picture = _sky((w, h), (132, 204, 240), (226, 244, 250))
    draw = ImageDraw.Draw(picture)
    draw.polygon([(w * 0.62, h * 0.46), (w * 0.78, h * 0.36), (w * 0.98, h * 0.46)], fill=(150, 176, 150))
    draw.rectangle((0, h * 0.45, w, h), fill=(28, 104, 178))
    phase = rng.uniform(0, 2 * pi)
    for k, fill in enumerate(((44, 126, 196), (30, 112, 186), (22, 92, 164))):
        _hills(draw, w, h, 0.56 + 0.14 * k, 0.018, phase + k, fill, 3.0 + k)
    return picture


def _snow(rng: random.Random, w: int, h: int) -> Image.Image:
    picture = _sky((w, h), (158, 178, 202), (216, 226, 236))
    draw = ImageDraw.Draw(picture)
    _hills(draw, w, h, 0.62, 0.05, rng.uniform(0, 2 * pi), (206, 218, 232))
    shift = rng.uniform(-0.05, 0.05)
    for x, s in ((0.08, 0.34), (0.2, 0.26), (0.82, 0.3), (0.94, 0.36)):
        _pine(draw, w * (x + shift), h * 0.68, h * s, (66, 104, 102))
    _hills(draw, w, h, 0.76, 0.03, rng.uniform(0, 2 * pi), (240, 244, 250))
    for i in range(12):
        _disc(draw, w * (i + rng.uniform(0.1, 0.9)) / 12, h * ((i * 5 % 12) / 12 * 0.7 + 0.05), h * 0.014, (255, 255, 255))
    return picture


def _neon_city(rng: random.Random, w: int, h: int) -> Image.Image:
    picture = _sky((w, h), (30, 10, 56), (104, 26, 108))
    draw = ImageDraw.Draw(picture)
    neon = ((255, 60, 170), (60, 230, 255), (250, 220, 70))
    shift = rng.uniform(-0.03, 0.03)
    for i, top in enumerate((0.34, 0.16, 0.42, 0.26, 0.46, 0.2, 0.36)):
        x0, x1 = w * (i / 7 + 0.008 + shift), w * ((i + 1) / 7 - 0.008 + shift)
        y0 = h * (top + rng.uniform(-0.03, 0.03))
        draw.rectangle((x0, y0, x1, h * 0.82), fill=(34, 26, 66))
        draw.rectangle((x0, y0, x1, y0 + h * 0.025), fill=neon[i % 3])
        draw.rectangle(((x0 * 2 + x1) / 3, y0 + h * 0.09, (x0 + x1 * 2) / 3, h * 0.7), fill=neon[(i + 1) % 3])
        for y in range(3):
            draw.rectangle((x0, y0 + h * (0.14 + 0.12 * y), x1, y0 + h * (0.17 + 0.12 * y)), fill=(34, 26, 66))
    draw.rectangle((0, h * 0.8, w, h), fill=(24, 18, 44))
    draw.rectangle((0, h * 0.8, w, h * 0.82), fill=(60, 230, 255))
    return picture


def _mountain_road(rng: random.Random, w: int, h: int) -> Image.Image:
    picture = _sky((w, h), (170, 206, 226), (236, 238, 226))
    draw = ImageDraw.Draw(picture)
    shift = rng.uniform(-0.06, 0.06)
    for x, top, half in ((0.2, 0.16, 0.3), (0.78, 0.1, 0.36), (0.48, 0.28, 0.28)):
        cx = w * (x + shift)
        draw.polygon([(cx - w * half, h * 0.66), (cx, h * top), (cx + w * half, h * 0.66)], fill=(118, 116, 134))
        draw.polygon(
            [(cx - w * half * 0.2, h * (top + 0.11)), (cx, h * top), (cx + w * half * 0.2, h * (top + 0.11))], fill=(244, 246, 250)
        )
    draw.rectangle((0, h * 0.62, w, h), fill=(122, 150, 86))
    draw.rectangle((0, h * 0.72, w, h * 0.95), fill=(84, 84, 92))
    for i in range(6):
        x0 = w * (i / 6 + 0.04 + shift)
        draw.rectangle((x0, h * 0.825, x0 + w * 0.08, h * 0.845), fill=(244, 226, 150))
    return picture


PLACES: dict[str, Callable[[random.Random, int, int], Image.Image]] = {
    "day": _day, "night": _night, "sunset": _sunset, "park": _park, "sea": _sea, "snow": _snow, "neon_city": _neon_city,
    "mountain_road": _mountain_road,
}  # fmt: skip
