"""Holt-Winters, additive and without a trend: a level and the shape of a day, both followed (Winters 1960).

Loads of weeks have no trend worth hours of extrapolation; leaving it out is one thing less that can run away.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cinelet.capacity.forecast.forecaster import Values

GRID = np.array([(level, season) for level in (0.02, 0.05, 0.1, 0.2, 0.4) for season in (0.02, 0.05, 0.1, 0.2, 0.4)])
"""Weights of the newest bucket in level and season; fit takes the pair with the least squared error one bucket ahead."""


class HoltWinters:
    """Follows a level and a season of `period` buckets. Needs two periods."""

    def __init__(self, period: int) -> None:
        self._period = period
        self._weights = np.array([(0.1, 0.1)])

    def fit(self, history: Values, num_ahead: int) -> None:  # noqa: ARG002 - the port's signature
        """Choose both weights."""
        *_, errors = self._follow(history, GRID)
        self._weights = GRID[[int(np.argmin(errors))]]

    def forecast(self, history: Values, num_ahead: int) -> Values:
        """The level and the season of each bucket, from 0."""
        level, season, _ = self._follow(history, self._weights)
        places = np.arange(len(history), len(history) + num_ahead) % self._period
        return np.asarray(np.maximum(level[0] + season[places, 0], 0.0))

    def _follow(self, history: Values, weights: NDArray[np.float64]) -> tuple[Values, NDArray[np.float64], Values]:
        """Level, season and squared error of each pair of weights after the history. The first two periods give the start."""
        of_level, of_season = weights.T
        first = history[: 2 * self._period].reshape(2, self._period)
        season = np.repeat((first - first.mean(axis=1, keepdims=True)).mean(axis=0)[:, None], len(weights), axis=1)
        level, errors = np.full(len(weights), first[1].mean()), np.zeros(len(weights))
        for place, value in enumerate(history[2 * self._period :].tolist(), 2 * self._period):
            now = season[place % self._period]
            miss = value - level - now
            errors += miss * miss
            level = level + of_level * miss
            season[place % self._period] = now + of_season * (1 - of_level) * miss
        return level, season, errors
