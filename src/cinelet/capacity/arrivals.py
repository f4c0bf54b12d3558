"""Instants at which a load comes: patterns drawn with a seeded generator. Nothing of what arrives at them.

Every pattern returns sorted float64 seconds in [0, duration).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from cinelet.capacity.trace import DAY_S, MAX_ARRIVAL_S, MAX_ROWS
from cinelet.errors import InvalidValueError
from cinelet.video import check_number

Instants = NDArray[np.float64]

DEFAULT_WINDOW_S = 60.0
"""Bursts of a minute: about the time one clip takes, so they fill queues and do not average out within a clip."""
DEFAULT_SWING = 0.6
"""Day and night differ by four to one, as (1 + 0.6) / (1 - 0.6)."""
MAX_RATE = 1e6
MAX_DISPERSION = 1e6
MAX_FACTOR = 1e4
TINY = 1e-9
"""The smallest rate and length: above zero, and no count of windows overflows."""


def even(rate_per_s: float, duration_s: float) -> Instants:
    """One arrival every 1 / rate seconds, the first at 0. No chance in it."""
    _check_size(rate_per_s, duration_s)
    num = math.ceil(rate_per_s * duration_s * (1 - 1e-12))
    return np.arange(num, dtype=np.float64) / rate_per_s


def poisson(rate_per_s: float, duration_s: float, rng: np.random.Generator) -> Instants:
    """Independent arrivals: index of dispersion 1."""
    _check_size(rate_per_s, duration_s)
    return _sorted(rng.random(rng.poisson(rate_per_s * duration_s)) * duration_s)


def bursty(
    rate_per_s: float, duration_s: float, rng: np.random.Generator, *, dispersion: float, window_s: float = DEFAULT_WINDOW_S
) -> Instants:
    """Bursts with a given index of dispersion (variance over mean) of the counts in windows [i·window_s, (i + 1)·window_s).

    A doubly stochastic Poisson process: the rate is constant within such a window and gamma distributed between them, independently.
    With m arrivals expected a window and gamma shape k the variance of a count is m + m²/k (law of total variance), so
    k = m / (dispersion - 1) gives the asked index. Windows of several times `window_s` have it too, since their counts are sums of
    independent ones; in windows that are shorter or not aligned it is less. Dispersion 1 is `poisson`.
    """
    _check_size(rate_per_s, duration_s)
    check_number("dispersion", dispersion, 1.0, MAX_DISPERSION)
    check_number("window", window_s, TINY, DAY_S)
    if duration_s / window_s > MAX_ROWS:
        raise InvalidValueError("window", window_s, f"must be at least {duration_s / MAX_ROWS:g} seconds: {MAX_ROWS:,} windows at most")
    if dispersion == 1.0:
        return poisson(rate_per_s, duration_s, rng)
    num_windows = math.ceil(duration_s / window_s)
    shape = rate_per_s * window_s / (dispersion - 1.0)
    means = rng.gamma(shape, rate_per_s * window_s / shape, num_windows)
    counts = rng.poisson(means)
    instants = (np.repeat(np.arange(num_windows), counts) + rng.random(int(counts.sum()))) * window_s
    return _sorted(instants[instants < duration_s])


def daily(
    rate_per_s: float, duration_s: float, rng: np.random.Generator, *, swing: float = DEFAULT_SWING, period_s: float = DAY_S
) -> Instants:
    """Day and night: rate · (1 - swing · cos(2π t / period)), lowest at 0, highest half a period later; `rate_per_s` is the mean."""
    check_number("swing", swing, 0.0, 1.0)
    check_number("period", period_s, TINY, MAX_ARRIVAL_S)

    def rate_of(at_s: Instants) -> Instants:
        return rate_per_s * (1.0 - swing * np.cos(2.0 * np.pi * at_s / period_s))

    return _thinned(rate_of, rate_per_s * (1.0 + swing), duration_s, rng)


def flash_crowd(
    rate_per_s: float, duration_s: float, rng: np.random.Generator, *, at_s: float, factor: float = 10.0, width_s: float = 60.0
) -> Instants:
    """A steady rate that is `factor` times as high from `at_s` on for `width_s` seconds, at once and without a warning."""
    check_number("at", at_s, 0.0, MAX_ARRIVAL_S)
    check_number("factor", factor, TINY, MAX_FACTOR)
    check_number("width", width_s, TINY, MAX_ARRIVAL_S)
    ends_s = [min(end_s, duration_s) for end_s in (at_s, at_s + width_s, duration_s)]
    rates = (rate_per_s, rate_per_s * factor, rate_per_s)
    stages = [(rate, end_s - start_s) for rate, start_s, end_s in zip(rates, [0.0, *ends_s], ends_s, strict=False)]
    return ramp([stage for stage in stages if stage[1] > 0], rng)


def ramp(stages: Sequence[tuple[float, float]], rng: np.random.Generator) -> Instants:
    """Stages of (rate per second, seconds), one after the other, each a Poisson process; rate 0 is a pause."""
    start_s, parts = 0.0, []
    for rate_per_s, stage_s in stages:
        if rate_per_s > 0:
            parts.append(start_s + poisson(rate_per_s, stage_s, rng))
        start_s += stage_s
    return np.concatenate(parts) if parts else np.zeros(0)


def index_of_dispersion(instants: Instants, window_s: float, duration_s: float | None = None) -> float:
    """Variance over mean of the counts in whole windows [i·window_s, (i + 1)·window_s) up to `duration_s` (None: the last instant).

    Raises `InvalidValueError` where fewer than two windows are whole or nothing arrives in them.
    """
    end_s = duration_s if duration_s is not None else float(instants[-1]) if len(instants) else 0.0
    num_windows = int(end_s / window_s)
    if num_windows < 2:
        raise InvalidValueError("window", window_s, f"must fit at least twice into the {end_s:g} seconds")
    counts = np.bincount((instants[instants < num_windows * window_s] / window_s).astype(np.int64), minlength=num_windows)[:num_windows]
    if not counts.any():
        raise InvalidValueError("arrivals", 0, "at least one must fall into the windows")
    return float(counts.var(ddof=1) / counts.mean())


def _thinned(rate_of: Callable[[Instants], Instants], peak_per_s: float, duration_s: float, rng: np.random.Generator) -> Instants:
    """A Poisson process of varying rate: candidates at the peak rate, each kept with rate / peak (Lewis and Shedler 1979)."""
    candidates = poisson(peak_per_s, duration_s, rng)
    return candidates[rng.random(len(candidates)) * peak_per_s < rate_of(candidates)]


def _sorted(instants: Instants) -> Instants:
    instants.sort()
    return instants


def _check_size(rate_per_s: float, duration_s: float) -> None:
    check_number("rate", rate_per_s, TINY, MAX_RATE)
    check_number("duration", duration_s, TINY, MAX_ARRIVAL_S)
    if rate_per_s * duration_s > MAX_ROWS:
        raise InvalidValueError(
            "rate", rate_per_s, f"gives {rate_per_s * duration_s:,.0f} arrivals in {duration_s:g} seconds; {MAX_ROWS:,} at most"
        )
