"""The next hours are as the last bucket was: what every other method has to beat."""

from __future__ import annotations

import numpy as np

from cinelet.capacity.forecast.forecaster import Values


class LastValue:
    """Repeats the last bucket."""

    def fit(self, history: Values, num_ahead: int) -> None:
        """Nothing to learn."""

    def forecast(self, history: Values, num_ahead: int) -> Values:
        """The last bucket, `num_ahead` times."""
        return np.full(num_ahead, history[-1])
