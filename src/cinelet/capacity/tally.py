"""What a run of the simulator measured, in arrays: a million jobs leave a million rows, not a million objects."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinelet.capacity.sim_job import SimJob
from cinelet.capacity.timeline import Timeline
from cinelet.scheduling.work import RANKS

TIER_NAMES = tuple(RANKS)
MISSING = -1.0
COLUMNS = {
    "number": "q", "arrived_at": "d", "latency_s": "d", "asked_s": "d", "solo_s": "d", "rank": "b", "offer": "b", "is_met": "b",
}  # fmt: skip
"""What is kept of each job, and as which kind of number."""
PRECISION_S = 1e-6
"""Sums of steps are not exact; a job that is this late is in time."""


class Tally:
    """One row a job that ended: when it came, how long it took, whether in time. Refused jobs count as not in time."""

    def __init__(self) -> None:
        self._rows: dict[str, array[Any]] = {name: array(kind) for name, kind in COLUMNS.items()}
        self._appends = [self._rows[name].append for name in COLUMNS]
        self.timeline = Timeline()
        self.num_refused = self.num_hits = self.num_parks = self.num_deaths = 0
        self.busy_s = self.ended_at = 0.0

    def finish(self, job: SimJob, now: float) -> None:
        """A clip is there."""
        self.num_parks += job.num_parks
        self._row(job, now - job.arrived_at, is_met=now <= job.due_at + PRECISION_S)

    def hit(self, job: SimJob) -> None:
        """Answered from the cache."""
        self.num_hits += 1
        self._row(job, 0.0, is_met=True)

    def refuse(self, job: SimJob) -> None:
        """Sent away with a time to come back."""
        self.num_refused += 1
        self._row(job, MISSING, is_met=False)

    def close(self, now: float, busy_s: float) -> None:
        """The run ended, and devices were busy for so long together."""
        self.ended_at = now
        self.busy_s = busy_s

    def column(self, name: str) -> NDArray[Any]:
        """One value a job, in the order in which they ended."""
        return np.asarray(self._rows[name])

    def latencies_of(self, tier: str) -> NDArray[Any]:
        """Seconds from arrival to clip of the served jobs of a tier."""
        latency = self.column("latency_s")
        return np.asarray(latency[(self.column("rank") == RANKS[tier]) & (latency >= 0)])

    def slowdowns(self) -> NDArray[Any]:
        """How long each served job waited, in times of the work that was asked for."""
        latency = self.column("latency_s")
        served = latency > 0
        waited_s = np.maximum(0.0, latency[served] - self.column("solo_s")[served])
        return np.asarray(waited_s / np.maximum(self.column("asked_s")[served], 1e-9))

    def summary(self, num_devices: int) -> dict[str, Any]:
        """The contract of `cinelet simulate --json`."""
        latency, rank, met, offer = (self.column(name) for name in ("latency_s", "rank", "is_met", "offer"))
        served = latency >= 0
        slowdowns = self.slowdowns()
        return {
            "slo_attainment": _share(met),
            "by_tier": {tier: _tier(latency, met, rank == number) for number, tier in enumerate(TIER_NAMES) if (rank == number).any()},
            "full_quality_share": _share(served & (offer == 0)),
            "refused_share": round(self.num_refused / max(1, len(latency)), 6),
            "gpu_seconds": round(self.busy_s, 3),
            "gpu_utilization": round(self.busy_s / max(1e-9, self.ended_at * num_devices), 4),
            **_quantiles(latency[served]),
            "num_jobs": len(latency),
            "num_parks": self.num_parks,
            "num_hits": self.num_hits,
            "num_deaths": self.num_deaths,
            "longest_wait": round(float(slowdowns.max()), 2) if len(slowdowns) else None,
            "duration_s": round(self.ended_at, 3),
        }

    def _row(self, job: SimJob, latency_s: float, *, is_met: bool) -> None:
        values = (job.number, job.arrived_at, latency_s, job.asked_s / job.speed, job.solo_s / job.speed, job.rank, job.offer, is_met)
        for append, value in zip(self._appends, values, strict=True):
            append(value)


def _share(flags: NDArray[Any]) -> float:
    return round(float(flags.mean()), 6) if len(flags) else 0.0


def _tier(latency: NDArray[Any], met: NDArray[Any], chosen: NDArray[Any]) -> dict[str, Any]:
    served = latency[chosen & (latency >= 0)]
    return {"slo_attainment": _share(met[chosen]), **_quantiles(served), "num_jobs": int(chosen.sum())}


def _quantiles(latency: NDArray[Any]) -> dict[str, float | None]:
    cuts = [round(float(cut), 3) for cut in np.percentile(latency, (50, 95, 99))] if len(latency) else [None] * 3
    return dict(zip(("p50_s", "p95_s", "p99_s"), cuts, strict=True))
