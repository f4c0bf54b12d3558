"""How good the methods would have been: each is fitted to the first days and forecasts the held-out ones, bucket by bucket.

Rolling origin: after the fit, a forecast is made from every held-out bucket with all that had come by then, and compared with what came.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cinelet.capacity.forecast.forecaster import Values
from cinelet.capacity.forecast.methods import make, num_needed
from cinelet.errors import RequestError

HELD_OUT = 0.3
"""Share of the history that is held out, whole days where there are at least two of them."""
MAX_HELD_OUT_DAYS = 7
MAX_ORIGINS = 120
"""Enough for a WAPE that moves by a few per cent at most, and a table within seconds."""
FEWEST_ORIGINS = 8


@dataclass(frozen=True, kw_only=True)
class Score:
    """What came of one method. WAPE is the sum of absolute errors over the sum of what came; None where the method could not be tried,
    and `note` says why.

    `wape_first` counts the first bucket ahead only, `wape_last` the last. `under_share` is the share of forecasts that were below what
    came. `forecasts` and `misses` (what came minus the forecast) have one row an origin, one column a bucket ahead.
    """

    method: str
    wape: float | None = None
    wape_first: float | None = None
    wape_last: float | None = None
    under_share: float | None = None
    forecasts: NDArray[np.float64] | None = None
    misses: NDArray[np.float64] | None = None
    note: str = ""


def num_held_out(num: int, period: int, num_ahead: int) -> int:
    """Buckets that are held out of `num`. Raises `RequestError` where the history is too short, and says how much is needed."""
    share = int(num * HELD_OUT)
    held_out = min(max(share // period, 1), MAX_HELD_OUT_DAYS) * period if num >= 3 * period + num_ahead else share
    held_out = max(held_out, num_ahead + FEWEST_ORIGINS - 1)
    if num < held_out * 2:
        raise RequestError(f"history: has {num} buckets; a horizon of {num_ahead} needs at least {2 * (num_ahead + FEWEST_ORIGINS - 1)}")
    return held_out


def backtest(values: Values, names: tuple[str, ...], *, period: int, num_ahead: int) -> list[Score]:
    """The scores of the methods, in their order. Raises `RequestError` where the history is too short for any."""
    first = len(values) - num_held_out(len(values), period, num_ahead)
    every = max(1, (len(values) - num_ahead - first) // MAX_ORIGINS)
    origins = range(first, len(values) - num_ahead + 1, every)
    return [_score(values, name, first=first, origins=origins, period=period, num_ahead=num_ahead) for name in names]


def _score(values: Values, name: str, *, first: int, origins: range, period: int, num_ahead: int) -> Score:
    needed = num_needed(name, period, num_ahead)
    if first < needed:
        return Score(method=name, note=f"needs {needed} buckets before the held-out ones; there are {first}")
    forecaster = make(name, period)
    forecaster.fit(values[:first], num_ahead)
    forecasts = np.stack([forecaster.forecast(values[:origin], num_ahead) for origin in origins])
    came = np.stack([values[origin : origin + num_ahead] for origin in origins])
    misses = came - forecasts
    return Score(
        method=name,
        wape=wape(misses, came),
        wape_first=wape(misses[:, 0], came[:, 0]),
        wape_last=wape(misses[:, -1], came[:, -1]),
        under_share=float((misses > 0).mean()),
        forecasts=forecasts,
        misses=misses,
    )


def wape(misses: NDArray[np.float64], came: NDArray[np.float64]) -> float:
    """Weighted absolute percentage error, as a share: 0 is exact. Where nothing came, 0 for forecasts of nothing and infinite else."""
    missed, total = float(np.abs(misses).sum()), float(came.sum())
    return missed / total if total else 0.0 if not missed else float("inf")
