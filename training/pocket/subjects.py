"""The sixteen subjects as flat shapes in a unit square (x right, y up, facing right). Nothing of time, place or pixels."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi, sin

Point = tuple[float, float]
Shape = tuple[list[Point], str]
"""A filled polygon and its paint: `body`, `shade`, `light` (from the subject's colour) or a fixed name of `INK`."""

INK = {
    "dark": (38, 34, 48),
    "paper": (250, 248, 240),
    "glass": (176, 222, 240),
    "wood": (122, 78, 46),
    "skin": (240, 196, 158),
    "gold": (250, 206, 60),
    "steel": (150, 156, 170),
    "flame": (250, 140, 40),
    "blush": (240, 130, 130),
}


def ellipse(cx: float, cy: float, rx: float, ry: float, n: int = 24) -> list[Point]:
    """A closed polygon of `n` points around an ellipse."""
    return [(cx + rx * cos(2 * pi * i / n), cy + ry * sin(2 * pi * i / n)) for i in range(n)]


def box(x0: float, y0: float, x1: float, y1: float) -> list[Point]:
    """A rectangle by two corners."""
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def _ball() -> list[Shape]:
    band = [(cos(a) * 0.9, sin(a) * 0.9) for a in (0.35, 0.1, -0.15, -0.4)]
    other = [(-x, -y) for x, y in band]
    return [(ellipse(0, 0, 0.9, 0.9, 32), "body"), (band + other, "paper"), (ellipse(0, 0, 0.26, 0.26), "shade")]


def _star() -> list[Shape]:
    def ring(scale: float) -> list[Point]:
        radii = (1.0, 0.45)
        return [
            (scale * radii[i % 2] * sin(pi * i / 5), scale * radii[i % 2] * cos(pi * i / 5)) for i in range(10)
        ]  # fmt: skip

    return [
        (ring(1.0), "body"),
        (ring(0.55), "light"),
        (ellipse(-0.16, 0.05, 0.07, 0.1, 10), "dark"),
        (ellipse(0.16, 0.05, 0.07, 0.1, 10), "dark"),
    ]


def _heart() -> list[Shape]:
    def curve(scale: float) -> list[Point]:
        turns = [2 * pi * i / 32 for i in range(32)]
        return [
            (
                scale * 0.058 * 16 * sin(t) ** 3,
                scale * 0.058 * (13 * cos(t) - 5 * cos(2 * t) - 2 * cos(3 * t) - cos(4 * t)) + 0.1,
            )
            for t in turns
        ]

    return [(curve(1.0), "body"), (ellipse(-0.42, 0.42, 0.16, 0.22), "light")]


def _car() -> list[Shape]:
    return [
        ([(-0.55, 0.1), (-0.35, 0.55), (0.3, 0.55), (0.55, 0.1)], "body"),
        ([(-0.4, 0.12), (-0.27, 0.45), (-0.05, 0.45), (-0.05, 0.12)], "glass"),
        ([(0.05, 0.12), (0.05, 0.45), (0.25, 0.45), (0.42, 0.12)], "glass"),
        ([(-1.0, -0.35), (-1.0, 0.08), (-0.9, 0.14), (0.8, 0.12), (1.0, -0.02), (1.0, -0.35)], "body"),
        (box(-1.0, -0.35, 1.0, -0.22), "shade"),
        (box(0.88, -0.12, 1.0, 0.02), "gold"),
        (ellipse(-0.55, -0.38, 0.25, 0.25), "dark"),
        (ellipse(0.55, -0.38, 0.25, 0.25), "dark"),
        (ellipse(-0.55, -0.38, 0.1, 0.1, 12), "paper"),
        (ellipse(0.55, -0.38, 0.1, 0.1, 12), "paper"),
    ]


def _boat() -> list[Shape]:
    return [
        (box(-0.06, -0.3, 0.04, 0.95), "wood"),
        ([(0.1, -0.15), (0.1, 0.9), (0.8, -0.15)], "body"),
        ([(-0.12, -0.15), (-0.12, 0.7), (-0.65, -0.15)], "light"),
        ([(-0.95, -0.25), (0.98, -0.25), (0.65, -0.75), (-0.7, -0.75)], "body"),
        ([(-0.95, -0.25), (0.98, -0.25), (0.91, -0.38), (-0.88, -0.38)], "paper"),
    ]


def _balloon() -> list[Shape]:
    return [
        (box(-0.02, -1.0, 0.02, -0.4), "dark"),
        ([(-0.12, -0.52), (0.12, -0.52), (0.0, -0.36)], "shade"),
        (ellipse(0, 0.25, 0.62, 0.72, 32), "body"),
        (ellipse(-0.22, 0.5, 0.12, 0.2), "light"),
    ]


def _cat() -> list[Shape]:
    return [
        ([(-0.6, -0.2), (-0.85, 0.1), (-0.98, 0.65), (-0.84, 0.68), (-0.7, 0.2), (-0.48, -0.02)], "body"),
        (ellipse(-0.15, -0.3, 0.55, 0.32), "body"),
        (box(-0.55, -0.85, -0.38, -0.4), "body"),
        (box(-0.3, -0.85, -0.13, -0.4), "shade"),
        (box(0.15, -0.85, 0.32, -0.4), "body"),
        ([(0.06, 0.35), (0.1, 0.92), (0.42, 0.55)], "body"),
        ([(0.94, 0.35), (0.9, 0.92), (0.58, 0.55)], "body"),
        (ellipse(0.5, 0.2, 0.47, 0.42), "body"),
        (ellipse(0.34, 0.28, 0.08, 0.12, 12), "dark"),
        (ellipse(0.7, 0.28, 0.08, 0.12, 12), "dark"),
        (ellipse(0.53, 0.06, 0.2, 0.13, 14), "paper"),
        ([(0.47, 0.14), (0.6, 0.14), (0.53, 0.06)], "blush"),
    ]


def _dog() -> list[Shape]:
    return [
        ([(-0.75, -0.05), (-1.0, 0.35), (-0.88, 0.42), (-0.6, 0.08)], "body"),
        (ellipse(-0.2, -0.2, 0.62, 0.34), "body"),
        (box(-0.72, -0.9, -0.52, -0.25), "body"),
        (box(-0.42, -0.9, -0.22, -0.25), "shade"),
        (box(0.15, -0.9, 0.35, -0.25), "body"),
        (ellipse(0.42, 0.3, 0.4, 0.38), "body"),
        ([(0.6, 0.32), (0.98, 0.26), (1.0, 0.02), (0.6, -0.02)], "light"),
        (ellipse(0.95, 0.2, 0.1, 0.09, 12), "dark"),
        (ellipse(0.56, 0.42, 0.08, 0.1, 12), "dark"),
        ([(0.2, 0.62), (0.02, 0.5), (-0.02, -0.1), (0.14, -0.18), (0.3, 0.25)], "shade"),
        ([(0.7, -0.04), (0.84, -0.03), (0.78, -0.26), (0.7, -0.22)], "blush"),
    ]


def _panda() -> list[Shape]:
    return [
        (ellipse(-0.42, -0.8, 0.26, 0.2), "dark"),
        (ellipse(0.42, -0.8, 0.26, 0.2), "dark"),
        (ellipse(0, -0.4, 0.58, 0.5), "body"),
        (ellipse(-0.6, -0.25, 0.2, 0.34), "dark"),
        (ellipse(0.6, -0.25, 0.2, 0.34), "dark"),
        (ellipse(-0.48, 0.8, 0.21, 0.2), "dark"),
        (ellipse(0.48, 0.8, 0.21, 0.2), "dark"),
        (ellipse(0, 0.38, 0.64, 0.54, 30), "body"),
        (ellipse(-0.26, 0.42, 0.17, 0.21), "dark"),
        (ellipse(0.26, 0.42, 0.17, 0.21), "dark"),
        (ellipse(-0.24, 0.45, 0.06, 0.08, 10), "paper"),
        (ellipse(0.24, 0.45, 0.06, 0.08, 10), "paper"),
        (ellipse(0, 0.16, 0.1, 0.07, 12), "dark"),
    ]


def _fish() -> list[Shape]:
    return [
        ([(-0.5, 0.0), (-1.0, 0.5), (-0.86, 0.0), (-1.0, -0.5)], "shade"),
        ([(-0.2, 0.35), (0.1, 0.75), (0.35, 0.35)], "shade"),
        (ellipse(0.15, 0, 0.75, 0.46, 30), "body"),
        ([(-0.15, 0.43), (0.05, 0.46), (-0.02, 0.0), (0.05, -0.46), (-0.15, -0.43), (-0.22, 0.0)], "light"),
        (ellipse(0.58, 0.12, 0.14, 0.14, 14), "paper"),
        (ellipse(0.61, 0.12, 0.07, 0.08, 10), "dark"),
        ([(0.1, -0.05), (-0.15, -0.22), (0.12, -0.28)], "shade"),
    ]


def _bird() -> list[Shape]:
    return [
        ([(-0.4, 0.0), (-1.0, 0.15), (-0.95, -0.25), (-0.4, -0.25)], "shade"),
        (ellipse(-0.02, -0.12, 0.55, 0.4), "body"),
        (ellipse(0.48, 0.25, 0.32, 0.3), "body"),
        ([(0.74, 0.36), (1.02, 0.2), (0.74, 0.12)], "gold"),
        (ellipse(0.56, 0.32, 0.08, 0.09, 12), "dark"),
        ([(0.15, 0.0), (-0.15, 0.85), (-0.55, 0.75), (-0.4, 0.0)], "light"),
        (box(-0.1, -0.75, -0.03, -0.45), "gold"),
        (box(0.12, -0.75, 0.19, -0.45), "gold"),
    ]


def _robot() -> list[Shape]:
    return [
        (box(-0.03, 0.75, 0.03, 0.98), "steel"),
        (ellipse(0, 0.96, 0.09, 0.09, 12), "gold"),
        (box(-0.42, -0.95, -0.12, -0.5), "steel"),
        (box(0.12, -0.95, 0.42, -0.5), "steel"),
        (box(-0.8, -0.45, -0.55, 0.12), "steel"),
        (box(0.55, -0.45, 0.8, 0.12), "steel"),
        (box(-0.55, -0.6, 0.55, 0.18), "body"),
        (box(-0.45, 0.22, 0.45, 0.78), "body"),
        (box(-0.34, 0.34, 0.34, 0.66), "dark"),
        (ellipse(-0.16, 0.5, 0.1, 0.1, 12), "glass"),
        (ellipse(0.16, 0.5, 0.1, 0.1, 12), "glass"),
        (box(-0.28, -0.32, 0.28, -0.08), "light"),
    ]


def _person() -> list[Shape]:
    return [
        ([(-0.26, -0.35), (-0.4, -0.98), (-0.18, -0.98), (0.02, -0.35)], "dark"),
        ([(0.0, -0.35), (0.2, -0.98), (0.42, -0.98), (0.26, -0.35)], "dark"),
        ([(-0.3, 0.22), (-0.68, -0.2), (-0.56, -0.32), (-0.18, -0.02)], "skin"),
        ([(0.3, 0.22), (0.68, -0.2), (0.56, -0.32), (0.18, -0.02)], "skin"),
        ([(-0.36, 0.3), (0.36, 0.3), (0.42, -0.45), (-0.42, -0.45)], "body"),
        (ellipse(0, 0.6, 0.3, 0.32), "skin"),
        ([(-0.33, 0.6), (-0.32, 0.88), (0, 1.0), (0.32, 0.88), (0.33, 0.72), (-0.1, 0.78)], "wood"),
        (ellipse(-0.08, 0.6, 0.05, 0.06, 8), "dark"),
        (ellipse(0.16, 0.6, 0.05, 0.06, 8), "dark"),
    ]


def _rocket() -> list[Shape]:
    return [
        ([(-0.2, -0.6), (0.0, -1.0), (0.2, -0.6)], "flame"),
        ([(-0.3, -0.05), (-0.65, -0.65), (-0.25, -0.55)], "shade"),
        ([(0.3, -0.05), (0.65, -0.65), (0.25, -0.55)], "shade"),
        ([(-0.32, -0.62), (-0.36, 0.2), (0.0, 1.0), (0.36, 0.2), (0.32, -0.62)], "body"),
        ([(-0.2, 0.58), (0.0, 1.0), (0.2, 0.58)], "dark"),
        (ellipse(0, 0.18, 0.18, 0.18, 16), "glass"),
        (box(-0.33, -0.62, 0.33, -0.48), "steel"),
    ]


def _tree() -> list[Shape]:
    return [
        (box(-0.13, -0.98, 0.13, -0.2), "wood"),
        (ellipse(-0.4, -0.02, 0.42, 0.36), "body"),
        (ellipse(0.4, -0.02, 0.42, 0.36), "body"),
        (ellipse(0, 0.42, 0.52, 0.5, 28), "body"),
        (ellipse(-0.14, 0.5, 0.2, 0.18, 16), "light"),
        (ellipse(0.34, 0.0, 0.16, 0.13, 14), "shade"),
    ]


def _house() -> list[Shape]:
    return [
        (box(0.35, 0.3, 0.58, 0.85), "wood"),
        (box(-0.72, -0.85, 0.72, 0.15), "body"),
        ([(-0.95, 0.1), (0.0, 0.9), (0.95, 0.1)], "dark"),
        (box(-0.16, -0.85, 0.2, -0.3), "wood"),
        (box(-0.58, -0.35, -0.28, -0.02), "gold"),
        (box(0.32, -0.35, 0.6, -0.02), "gold"),
    ]


DRAWINGS: dict[str, Callable[[], list[Shape]]] = {
    "ball": _ball, "star": _star, "heart": _heart, "car": _car, "boat": _boat, "balloon": _balloon, "cat": _cat, "dog": _dog,
    "panda": _panda, "fish": _fish, "bird": _bird, "robot": _robot, "person": _person, "rocket": _rocket, "tree": _tree,
    "house": _house,
}  # fmt: skip

SHAPES: dict[str, list[Shape]] = {name: draw() for name, draw in DRAWINGS.items()}
