"""An exponentially weighted mean: the last value with patience."""

from __future__ import annotations

import numpy as np

from cinelet.capacity.forecast.forecaster import Values

WEIGHTS = np.array([0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9])
"""Of the newest bucket; fit takes the one with the least squared error one bucket ahead."""


class Ewma:
    """Repeats a level that follows the buckets with a weight learnt from the history."""

    def __init__(self) -> None:
        self._weight = 0.3

    def fit(self, history: Values, num_ahead: int) -> None:  # noqa: ARG002 - the port's signature
        """Choose the weight."""
        level = np.full(len(WEIGHTS), history[0])
        errors = np.zeros(len(WEIGHTS))
        for value in history[1:].tolist():
            miss = value - level
            errors += miss * miss
            level += WEIGHTS * miss
        self._weight = float(WEIGHTS[np.argmin(errors)])

    def forecast(self, history: Values, num_ahead: int) -> Values:
        """The level, `num_ahead` times."""
        level = float(history[0])
        for value in history[1:].tolist():
            level += self._weight * (value - level)
        return np.full(num_ahead, level)
