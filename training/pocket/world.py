"""The storybook world of the pocket model: what can appear, in which colour, doing what, where.

A `Scene` is one clip's ground truth. It knows nothing of pixels (renderer.py) and nothing of language (captions.py).
"""

from __future__ import annotations

import random
from dataclasses import dataclass

SUBJECTS = (
    "ball", "star", "heart", "car", "boat", "balloon", "cat", "dog",
    "panda", "fish", "bird", "robot", "person", "rocket", "tree", "house",
)  # fmt: skip
COLOURS = ("red", "green", "blue", "yellow", "purple", "orange", "pink", "white")
MOTIONS = ("left", "right", "rising", "falling", "bouncing", "spinning", "growing", "dancing")
SCENES = ("day", "night", "sunset", "park", "sea", "snow", "neon_city", "mountain_road")

LABELS = {"subject": SUBJECTS, "colour": COLOURS, "motion": MOTIONS, "scene": SCENES}

WIDTH, HEIGHT, NUM_FRAMES, FPS = 160, 96, 17, 8

# What a sentence means when it is silent: one natural answer a subject, so that "a panda in the snow" is no riddle.
NATURAL_COLOUR = {
    "ball": "red", "star": "yellow", "heart": "red", "car": "red", "boat": "white", "balloon": "red",
    "cat": "orange", "dog": "yellow", "panda": "white", "fish": "orange", "bird": "blue", "robot": "blue",
    "person": "red", "rocket": "white", "tree": "green", "house": "orange",
}  # fmt: skip
NATURAL_MOTION = {
    "ball": "bouncing", "star": "spinning", "heart": "growing", "car": "right", "boat": "right", "balloon": "rising",
    "cat": "right", "dog": "right", "panda": "dancing", "fish": "left", "bird": "right", "robot": "dancing",
    "person": "right", "rocket": "rising", "tree": "growing", "house": "growing",
}  # fmt: skip
NATURAL_SCENE = {
    "ball": "park", "star": "night", "heart": "sunset", "car": "mountain_road", "boat": "sea", "balloon": "day",
    "cat": "park", "dog": "park", "panda": "snow", "fish": "sea", "bird": "day", "robot": "neon_city",
    "person": "park", "rocket": "night", "tree": "day", "house": "day",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One clip's ground truth: four labels, and a seed for everything a sentence does not decide."""

    subject: str
    colour: str
    motion: str
    scene: str
    seed: int

    def __post_init__(self) -> None:
        for field, allowed in LABELS.items():
            if getattr(self, field) not in allowed:
                raise ValueError(f"{field} {getattr(self, field)!r} is not one of {', '.join(allowed)}")

    @property
    def label_ids(self) -> tuple[int, int, int, int]:
        """Indices of (subject, colour, motion, scene) in their label lists."""
        return (
            SUBJECTS.index(self.subject),
            COLOURS.index(self.colour),
            MOTIONS.index(self.motion),
            SCENES.index(self.scene),
        )


def random_scene(rng: random.Random) -> Scene:
    """A scene with every label drawn evenly."""
    return Scene(
        subject=rng.choice(SUBJECTS),
        colour=rng.choice(COLOURS),
        motion=rng.choice(MOTIONS),
        scene=rng.choice(SCENES),
        seed=rng.getrandbits(32),
    )
