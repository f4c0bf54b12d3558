"""What is asked of every method that forecasts. Nothing of files, plots, or of which method is better."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
"""What came a bucket, from 0, the oldest first."""


class Forecaster(Protocol):
    """Learns from one history, then forecasts from any history that begins at the same bucket, so that one fit serves many origins.

    Equal histories give equal forecasts. A history may be longer than the one it was fitted to; what came later is used as the state
    to go on from, and nothing new is learnt from it.
    """

    def fit(self, history: Values, num_ahead: int) -> None:
        """Learn what `history` tells, for forecasts of up to `num_ahead` buckets. It has as many buckets as the method needs."""

    def forecast(self, history: Values, num_ahead: int) -> Values:
        """The mean of each of the `num_ahead` buckets after `history`: finite and never negative."""
