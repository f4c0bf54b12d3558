"""Holt's method with a damped trend (Gardner and McKenzie 1985): a level and a slope that fades out."""

from __future__ import annotations

import numpy as np

from cinelet.capacity.forecast.forecaster import Values

DAMPING = 0.9
"""A trend of arrivals does not last; after ten buckets a third of it is left."""
GRID = np.array([(level, slope) for level in (0.1, 0.2, 0.3, 0.5, 0.7, 0.9) for slope in (0.0, 0.05, 0.1, 0.2)])
"""Weights of the newest bucket in level and slope; fit takes the pair with the least squared error one bucket ahead."""


class Holt:
    """Goes on along a damped trend."""

    def __init__(self) -> None:
        self._weights = (0.3, 0.05)

    def fit(self, history: Values, num_ahead: int) -> None:  # noqa: ARG002 - the port's signature
        """Choose both weights."""
        of_level, of_slope = GRID.T
        level, slope, errors = np.full(len(GRID), history[0]), np.zeros(len(GRID)), np.zeros(len(GRID))
        for value in history[1:].tolist():
            expected = level + DAMPING * slope
            errors += (value - expected) ** 2
            before = level
            level = expected + of_level * (value - expected)
            slope = of_slope * (level - before) + (1 - of_slope) * DAMPING * slope
        best = int(np.argmin(errors))
        self._weights = (float(of_level[best]), float(of_slope[best]))

    def forecast(self, history: Values, num_ahead: int) -> Values:
        """The level and what the trend still adds to it, from 0."""
        of_level, of_slope = self._weights
        level, slope = float(history[0]), 0.0
        for value in history[1:].tolist():
            expected = level + DAMPING * slope
            before = level
            level = expected + of_level * (value - expected)
            slope = of_slope * (level - before) + (1 - of_slope) * DAMPING * slope
        ahead = np.arange(1, num_ahead + 1)
        faded = DAMPING * (1 - DAMPING**ahead) / (1 - DAMPING)
        return np.asarray(np.maximum(level + faded * slope, 0.0))
