"""The numbers of a load: what every sample together says, as one JSON object. Nothing of sending, files or plots.

Percentiles are over completed and timed-out requests; a timed-out one counts with the time that was waited for it, so a percentile
that falls among them is a lower bound and is told as one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from cinelet.capacity.load.sample import OUTCOMES, SHORTEST_S, Sample
from cinelet.capacity.trace import TIERS

MAX_LAG_S = 0.1
"""A sender whose 99th percentile is later than this did not offer the load it was asked for. A clip takes seconds."""
ETA_BAND = 0.35
"""A quote is good within ±35 % of the real time."""
MAX_REASONS = 10
ROUND = 4


def summarise(samples: Sequence[Sample], *, num_planned: int, duration_s: float, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The result as `cinelet load --json` prints it. `duration_s` is how long the run took, `settings` stand in it as they are."""
    completed = [one for one in samples if one.outcome == "completed"]
    tiers = [tier for tier in TIERS if any(one.arrival.tier == tier for one in samples)]
    summary = {
        **settings,
        "duration_s": round(duration_s, 3),
        "num_planned": num_planned,
        **_of(samples),
        "offered_per_s": _rate([one.intended_s for one in samples]),
        "throughput_per_s": round(len(completed) / duration_s, ROUND) if duration_s >= SHORTEST_S else None,
        "naive_latency": _spread(one.naive_latency_s for one in samples if _is_measured(one)),
        "accept": _spread(_difference(one.accepted_s, one.sent_s) for one in samples),
        "lag": _spread(one.lag_s for one in samples),
        "seen_late": _spread(_difference(one.ended_s, one.looked_s) for one in completed),
        "retry_after": _spread(one.retry_after_s for one in samples),
        "eta": _eta(samples),
        "by_tier": {tier: _of([one for one in samples if one.arrival.tier == tier]) for tier in tiers},
        "reasons": dict(Counter(one.reason for one in samples if one.reason).most_common(MAX_REASONS)),
    }
    return {**summary, "warnings": _warnings(summary)}


def _of(samples: Sequence[Sample]) -> dict[str, Any]:
    """Counts, deadlines and latency of one group."""
    counts = Counter(one.outcome for one in samples)
    judged = [one.is_in_time for one in samples if one.is_in_time is not None]
    latency = _spread(one.latency_s for one in samples if _is_measured(one))
    num_settled = len(samples) - counts["open"]
    return {
        "num_jobs": len(samples),
        **{f"num_{outcome}": counts[outcome] for outcome in OUTCOMES},
        "slo_attainment": round(sum(judged) / len(judged), ROUND) if judged else None,
        "refused_share": round(counts["refused"] / num_settled, ROUND) if num_settled else None,
        "num_refusals": sum(one.num_refusals for one in samples),
        "num_cached": sum(one.is_cached for one in samples),
        **{name: latency[name] for name in ("mean_s", "p50_s", "p95_s", "p99_s", "max_s")},
    }


def _eta(samples: Iterable[Sample]) -> dict[str, Any]:
    errors = np.abs([one.eta_error for one in samples if one.eta_error is not None])
    return {
        "num_quotes": len(errors),
        "median_error": round(float(np.median(errors)), ROUND) if len(errors) else None,
        "share_within_35_percent": round(float((errors <= ETA_BAND).mean()), ROUND) if len(errors) else None,
    }


def _warnings(summary: Mapping[str, Any]) -> list[str]:
    warnings = []
    lag_s = summary["lag"]["p99_s"]
    if lag_s is not None and lag_s > MAX_LAG_S:
        warnings.append(
            f"the sender lagged: 1 % of the requests left {lag_s:.2g} s or more after their instant (bound {MAX_LAG_S:g} s); "
            "latencies count that delay, but the service saw a smoother load than was asked for"
        )
    num_timed_out, num_measured = summary["num_timed_out"], summary["num_timed_out"] + summary["num_completed"]
    if num_timed_out:
        share = num_timed_out / num_measured
        warnings.append(f"{share:.1%} timed out: percentiles above p{max(0, 100 - 100 * share):.0f} are lower bounds")
    if summary["num_planned"] > summary["num_jobs"]:
        warnings.append(f"stopped early: {summary['num_jobs']} of {summary['num_planned']} requests were sent")
    if summary["num_open"]:
        warnings.append(f"{summary['num_open']} requests were under way when the run was stopped; they are in no percentile")
    return warnings


def _is_measured(sample: Sample) -> bool:
    return sample.outcome in {"completed", "timed_out"}


def _spread(values: Iterable[float | None]) -> dict[str, Any]:
    known = np.array([value for value in values if value is not None], dtype=np.float64)
    if not len(known):
        return {"num": 0, "mean_s": None, "p50_s": None, "p95_s": None, "p99_s": None, "max_s": None}
    p50_s, p95_s, p99_s = np.percentile(known, [50, 95, 99])
    numbers = {"mean_s": known.mean(), "p50_s": p50_s, "p95_s": p95_s, "p99_s": p99_s, "max_s": known.max()}
    return {"num": len(known), **{name: round(float(value), ROUND) for name, value in numbers.items()}}


def _rate(instants: Sequence[float]) -> float | None:
    """Arrivals a second over the time from the start to the last of them."""
    return round(len(instants) / instants[-1], ROUND) if instants and instants[-1] >= SHORTEST_S else None


def _difference(later_s: float | None, earlier_s: float | None) -> float | None:
    return None if later_s is None or earlier_s is None else later_s - earlier_s
