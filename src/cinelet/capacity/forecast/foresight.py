"""The next hours of a series: a method chosen by backtest, its mean, and an upper quantile as headroom."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np

from cinelet.capacity.forecast.backtest import Score, backtest
from cinelet.capacity.forecast.forecaster import Values
from cinelet.capacity.forecast.methods import AUTO, make
from cinelet.capacity.forecast.series import DAY_S, Series
from cinelet.errors import InvalidValueError
from cinelet.video import check_number

MAX_AHEAD = 2016
"""Two weeks of ten minutes."""
FAINTEST = 0.1
"""Of the mean: a forecast of nothing still has some headroom."""
TINY = 1e-12


@dataclass(frozen=True, kw_only=True)
class Foresight:
    """What is to come after `series`: `mean` and `upper` a bucket, by `method`.

    `upper` is the mean and the `quantile` of what the backtest's forecasts so far ahead missed, see `headroom`. `coverage` is the share
    of the later half of the backtest that stayed below an upper line taken from the earlier half: near `quantile` where the past holds.
    """

    series: Series
    method: str
    quantile: float
    scores: tuple[Score, ...]
    mean: Values
    upper: Values
    coverage: float

    @property
    def ends_s(self) -> Values:
        """The end of each bucket, in seconds after the end of the history."""
        return np.arange(1.0, len(self.mean) + 1) * self.series.bucket_s


def foresee(series: Series, *, num_ahead: int, quantile: float = 0.9, method: str = "auto") -> Foresight:
    """The mean and headroom of the next `num_ahead` buckets. Raises `RequestError` for a history that is too short."""
    check_number("quantile", quantile, 0.5, 0.999)
    if not 1 <= num_ahead <= MAX_AHEAD:
        raise InvalidValueError("horizon", num_ahead, f"must be 1 to {MAX_AHEAD:,} buckets")
    period = period_of(series)
    make("last" if method == "auto" else method, period)  # an unknown name is told before seconds of work
    names = AUTO if method in AUTO or method == "auto" else (*AUTO, method)
    scores = backtest(series.values, names, period=period, num_ahead=num_ahead)
    best = min(scores, key=lambda score: inf if score.wape is None else score.wape)
    chosen = best if method == "auto" else next(score for score in scores if score.method == method)
    if chosen.misses is None or chosen.forecasts is None:
        raise InvalidValueError("method", method, chosen.note)
    forecaster = make(chosen.method, period)
    forecaster.fit(series.values, num_ahead)
    mean = forecaster.forecast(series.values, num_ahead)
    level, half = float(series.values.mean()), len(chosen.misses) // 2
    early = headroom(chosen.misses[:half], chosen.forecasts[:half], chosen.forecasts[half:], level, quantile)
    return Foresight(
        series=series,
        method=chosen.method,
        quantile=quantile,
        scores=tuple(scores),
        mean=mean,
        upper=mean + headroom(chosen.misses, chosen.forecasts, mean, level, quantile),
        coverage=float((chosen.misses[half:] <= early).mean()),
    )


def headroom(misses: Values, forecasts: Values, mean: Values, level: float, quantile: float) -> Values:
    """How far above each `mean` the quantile of the misses lies, from 0; by column, which is by how far ahead.

    What comes scatters about as the square root of how much is expected (counts of independent arrivals do), so misses of busy hours
    are not held against quiet ones. `level`, the mean of the whole history, keeps it free of units.
    """
    return np.asarray(np.maximum(np.quantile(misses / _scatter(forecasts, level), quantile, axis=0), 0.0) * _scatter(mean, level))


def _scatter(expected: Values, level: float) -> Values:
    return np.asarray(np.sqrt((expected + FAINTEST * level) * level) + TINY)


def period_of(series: Series) -> int:
    """Buckets of a day."""
    return max(2, round(DAY_S / series.bucket_s))
