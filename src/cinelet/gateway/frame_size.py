"""Width and height from what clients write: `832x480`, `832*480`, `480p`, `9:16`, or two numbers. Nothing of other fields."""

from __future__ import annotations

import math
import re

from cinelet.gateway.given import Given
from cinelet.models.card import ModelCard

Sides = tuple[int | None, int | None]

PIXELS = re.compile(r"([0-9]{1,5})\s*[xX*×]\s*([0-9]{1,5})")
LINES = re.compile(r"[0-9]{2,4}p")
RATIO = re.compile(r"([1-9][0-9]?)\s*:\s*([1-9][0-9]?)")
MAX_RATIO = 4.0
"""Long side to short side; no model has been trained on anything longer."""
NEAR = 1.1
"""How far a size may be from the ratio asked for: 832x480 passes for 16:9 everywhere, and so does the pocket model's 160x96."""


def settle_size(given: Given, card: ModelCard, warnings: list[str]) -> Sides:
    """Width and height in pixels, None for the model's own; whether the model can draw them is the planner's question.

    Pixels win over names. A resolution the model has not, such as 480p of the pocket model, becomes its own size with a
    warning. Raises `InvalidValueError`, also where `size` contradicts `width` or `height`.
    """
    sides = given.integer("width"), given.integer("height")
    named = "size" if _pixels(given, "size") else "resolution"
    size = _pixels(given, named)
    if size is not None and sides != (None, None):
        for name, side, due in zip(("width", "height"), sides, size, strict=True):
            if side not in {None, due}:
                raise given.refuse(name, f"must agree with {named}, or be left out")
    if size is None and sides == (None, None):
        return _shaped(given, card, warnings)
    spare = {"size", "resolution", "aspect_ratio"} - ({named} if size else set())
    warnings += [f"{name}: has no effect beside a size in pixels" for name in sorted(spare) if not given.is_off(name)]
    return sides if size is None else size


def size_field(given: Given) -> str | None:
    """The field a client named the size with, or None where it gave `width` and `height`, or nothing."""
    return next((name for name in ("size", "resolution", "aspect_ratio") if not given.is_off(name)), None)


def _pixels(given: Given, name: str) -> tuple[int, int] | None:
    match = PIXELS.fullmatch(_word(given, name))
    return None if match is None else (int(match[1]), int(match[2]))


def _shaped(given: Given, card: ModelCard, warnings: list[str]) -> Sides:
    """A size from a resolution's name and a ratio, either of which may be missing."""
    ratio, size = _ratio(given), _resolution(given, card, warnings)
    if ratio is None:
        return (None, None) if size is None else size
    width, height = card.default_size if size is None else size
    for sides in ((width, height), (height, width)):
        if 1 / NEAR <= sides[0] / sides[1] / ratio <= NEAR:
            return sides
    return _fitted(ratio, width * height, card.size_multiple)


def _fitted(ratio: float, max_pixels: int, multiple: int) -> tuple[int, int]:
    """The largest sides of about `ratio` within `max_pixels`, in multiples of `multiple`."""
    height = math.sqrt(max_pixels / ratio)
    sides = [max(multiple, int(side) // multiple * multiple) for side in (height * ratio, height)]
    return sides[0], sides[1]


def _ratio(given: Given) -> float | None:
    word = _word(given, "aspect_ratio")
    if not word:
        return None
    match = RATIO.fullmatch(word)
    ratio = int(match[1]) / int(match[2]) if match else 0.0
    if not 1 / MAX_RATIO <= ratio <= MAX_RATIO:
        raise given.refuse("aspect_ratio", f"must be width:height, such as 16:9, from 1:{MAX_RATIO:g} to {MAX_RATIO:g}:1")
    return ratio


def _resolution(given: Given, card: ModelCard, warnings: list[str]) -> tuple[int, int] | None:
    """The card's size of that name. `size` may hold a resolution's name too."""
    for name in ("size", "resolution"):
        word = _word(given, name).lower()
        if not word:
            continue
        if word in card.resolutions:
            return card.resolutions[word]
        if not LINES.fullmatch(word):
            raise given.refuse(name, f"must be WIDTHxHEIGHT in pixels, or one of {', '.join(card.resolutions)} on {card.name}")
        width, height = card.default_size
        warnings.append(f"{name}: {card.name} does not draw {word}; its own size is {width}x{height}")
        return None
    return None


def _word(given: Given, name: str) -> str:
    """The text of a field, empty where it is missing or leaves the choice to us."""
    value = given.text(name, max_chars=40)
    word = "" if value is None else value.strip()
    return "" if word.lower() == "auto" else word
