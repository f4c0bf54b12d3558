"""Today is as yesterday was."""

from __future__ import annotations

import numpy as np

from cinelet.capacity.forecast.forecaster import Values


class SeasonalNaive:
    """Repeats the last period, of `period` buckets."""

    def __init__(self, period: int) -> None:
        self._period = period

    def fit(self, history: Values, num_ahead: int) -> None:
        """Nothing to learn."""

    def forecast(self, history: Values, num_ahead: int) -> Values:
        """What came a period before each bucket, or several where the horizon is longer than one."""
        return np.resize(history[-self._period :], num_ahead)
