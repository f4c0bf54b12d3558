"""`name=number` pairs of the command line. Nothing of what they are for."""

from __future__ import annotations

from collections.abc import Collection

from cinelet.capacity.trace import MAX_ARRIVAL_S
from cinelet.errors import InvalidValueError
from cinelet.video import check_number


def read_options(what: str, text: str, names: Collection[str]) -> dict[str, float]:
    """`name=number,…` as a mapping: numbers from 0, each name at most once. Raises `InvalidValueError` about `what`."""
    options: dict[str, float] = {}
    for pair in text.split(","):
        name, equals, number = (piece.strip() for piece in pair.partition("="))
        if name not in names or not equals:
            raise InvalidValueError(what, pair, f"must be NAME=NUMBER; the names are {', '.join(names)}")
        if name in options:
            raise InvalidValueError(what, text, f"must say {name} once")
        options[name] = read_number(f"{what}, {name}", number, 0.0, MAX_ARRIVAL_S)
    return options


def read_number(what: str, text: str, low: float, high: float) -> float:
    """A finite number within `low` to `high`. Raises `InvalidValueError` about `what`."""
    try:
        value = float(text)
    except ValueError as error:
        raise InvalidValueError(what, text, f"must be a number from {low:g} to {high:g}") from error
    check_number(what, value, low, high)
    return value
