"""The load of the next hours from the load of the past: series, methods, backtest, foresight."""

from cinelet.capacity.forecast.backtest import Score, backtest
from cinelet.capacity.forecast.forecaster import Forecaster
from cinelet.capacity.forecast.foresight import Foresight, foresee
from cinelet.capacity.forecast.methods import AUTO, METHODS, make
from cinelet.capacity.forecast.series import Series, read_series, series_of

__all__ = ["AUTO", "METHODS", "Forecaster", "Foresight", "Score", "Series", "backtest", "foresee", "make", "read_series", "series_of"]
