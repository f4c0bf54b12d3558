"""A linear model of the time of day and of what came lately, one for each bucket ahead, with a ridge penalty (Hoerl and Kennard 1970).

Forecasting each bucket ahead directly, nothing is fed back, so errors do not grow along the horizon.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cinelet.capacity.forecast.forecaster import Values

NUM_HARMONICS = 3
"""Waves of a day, a half and a third of one: a morning and an evening peak can differ."""
PENALTY = 10.0
"""In rows: as strong as ten observations that say "no effect", on standardised columns."""
MIN_ROWS = 24
"""Fewer observations for a bucket so far ahead, and it is forecast as the last one that has enough."""


class Ridge:
    """Daily harmonics, the last values, and the same time a period ago. Needs two periods of `period` buckets."""

    def __init__(self, period: int) -> None:
        self._period = period
        self._coefficients: list[tuple[Values, float, Values, Values]] = []

    def fit(self, history: Values, num_ahead: int) -> None:
        """Solve for the coefficients of each bucket ahead."""
        rows = self._features(history)
        first = self._period  # before it a row has no yesterday
        self._coefficients = []
        for ahead in range(1, num_ahead + 1):
            targets = history[first + ahead :]
            if len(targets) < MIN_ROWS and self._coefficients:
                self._coefficients.append(self._coefficients[-1])
                continue
            origins = np.arange(first, len(history) - ahead)
            features = np.column_stack([rows[origins], self._yesterday(history, origins, ahead)])
            self._coefficients.append(_solve(features, targets))

    def forecast(self, history: Values, num_ahead: int) -> Values:
        """What the linear models say, from 0."""
        row, origin = self._features(history)[-1], np.array([len(history) - 1])
        means = [
            intercept + float((np.append(row, self._yesterday(history, origin, ahead)) - centre) / scale @ slopes)
            for ahead, (slopes, intercept, centre, scale) in enumerate(self._coefficients[:num_ahead], 1)
        ]
        return np.asarray(np.maximum(np.array(means), 0.0))

    def _features(self, history: Values) -> NDArray[np.float64]:
        """One row a bucket: harmonics, the value, and means of the last 3, 6, a quarter of a period, and a period."""
        angle = 2 * np.pi * np.arange(len(history)) / self._period
        columns = [wave(harmonic * angle) for harmonic in range(1, NUM_HARMONICS + 1) for wave in (np.sin, np.cos)]
        columns += [_mean_of_last(history, num) for num in sorted({1, 3, 6, max(1, self._period // 4), self._period})]
        return np.stack(columns, axis=1)

    def _yesterday(self, history: Values, origins: NDArray[np.int64], ahead: int) -> Values:
        """What came whole periods before the buckets `ahead` of the origins, the fewest periods that are known."""
        return history[origins + ahead - self._period * -(-ahead // self._period)]


def _solve(features: NDArray[np.float64], targets: Values) -> tuple[Values, float, Values, Values]:
    """Slopes on standardised columns, the intercept, and what to centre and scale with."""
    centre, scale = features.mean(axis=0), features.std(axis=0)
    scale[scale < 1e-9 * (1 + np.abs(centre))] = np.inf  # a column that never changes tells nothing
    standard = (features - centre) / scale
    mean = float(targets.mean())
    penalised = standard.T @ standard + PENALTY * np.eye(standard.shape[1])
    return np.linalg.solve(penalised, standard.T @ (targets - mean)), mean, centre, scale


def _mean_of_last(history: Values, num: int) -> Values:
    """At each bucket the mean of it and the `num` - 1 before it; at the start of what there is."""
    total = np.concatenate([[0.0], np.cumsum(history)])
    ends = np.arange(1, len(history) + 1)
    starts = np.maximum(ends - num, 0)
    return np.asarray((total[ends] - total[starts]) / (ends - starts))
