"""The methods by name, and how much history each needs."""

from __future__ import annotations

from collections.abc import Callable

from cinelet.capacity.forecast.ewma import Ewma
from cinelet.capacity.forecast.forecaster import Forecaster
from cinelet.capacity.forecast.holt import Holt
from cinelet.capacity.forecast.holt_winters import HoltWinters
from cinelet.capacity.forecast.last_value import LastValue
from cinelet.capacity.forecast.lstm import Lstm
from cinelet.capacity.forecast.ridge import MIN_ROWS, Ridge
from cinelet.capacity.forecast.seasonal_naive import SeasonalNaive
from cinelet.errors import InvalidValueError

METHODS: dict[str, Callable[[int], Forecaster]] = {
    "last": lambda _: LastValue(),
    "ewma": lambda _: Ewma(),
    "holt": lambda _: Holt(),
    "holt-winters": HoltWinters,
    "seasonal": SeasonalNaive,
    "ridge": Ridge,
    "lstm": Lstm,
}
"""Name → what makes it for a period in buckets."""
AUTO = tuple(name for name in METHODS if name != "lstm")
"""What `auto` chooses from: the network is for comparison, and needs torch."""
FEWEST = 3
"""Buckets that the methods without a season need."""


def make(name: str, period: int) -> Forecaster:
    """A fresh method. Raises `InvalidValueError` for an unknown name, `RequestError` where its library is not installed."""
    if name not in METHODS:
        raise InvalidValueError("method", name, f"must be one of auto, {', '.join(METHODS)}")
    return METHODS[name](period)


def num_needed(name: str, period: int, num_ahead: int) -> int:
    """Buckets a history must have for a method to be fitted."""
    if name == "seasonal":
        return period
    if name == "holt-winters":
        return 2 * period
    if name in ("ridge", "lstm"):
        return 2 * period + max(MIN_ROWS, num_ahead)
    return FEWEST
