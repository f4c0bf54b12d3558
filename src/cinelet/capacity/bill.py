"""What clips cost on a fleet: device seconds and money. Nothing of how a fleet is found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cinelet.capacity.tally import Tally

HOUR_S = 3600.0
CALLS = 1000


@dataclass(frozen=True, kw_only=True)
class Bill:
    """One run on `num_devices`, each paid for from the start to the last clip at `price_an_hour`, whether it worked or not."""

    num_devices: int
    price_an_hour: float
    num_calls: int
    num_clips: int
    busy_s: float
    paid_s: float
    slo_attainment: float
    p50_s: float | None
    p95_s: float | None
    mean_wait_s: float

    @property
    def money(self) -> float:
        """All of it."""
        return self.paid_s / HOUR_S * self.price_an_hour

    def to_json(self) -> dict[str, Any]:
        """The figures people ask for: a clip, and a thousand calls, refused and cached ones among them."""
        clips, calls = max(1, self.num_clips), max(1, self.num_calls)
        return {
            "gpus": self.num_devices,
            "slo_attainment": self.slo_attainment,
            "p50_s": self.p50_s,
            "p95_s": self.p95_s,
            "mean_wait_s": round(self.mean_wait_s, 3),
            "gpu_utilization": round(self.busy_s / max(1e-9, self.paid_s), 4),
            "gpu_seconds_per_clip": round(self.busy_s / clips, 3),
            "paid_gpu_seconds_per_clip": round(self.paid_s / clips, 3),
            "money_per_clip": round(self.money / clips, 6),
            "money_per_1000_calls": round(CALLS * self.money / calls, 4),
            "money_per_hour": round(self.num_devices * self.price_an_hour, 4),
        }


def bill_of(tally: Tally, num_devices: int, price_an_hour: float) -> Bill:
    """The bill of a run."""
    summary = tally.summary(num_devices)
    latency, solo_s = tally.column("latency_s"), tally.column("solo_s")
    served = latency > 0
    return Bill(
        num_devices=num_devices,
        price_an_hour=price_an_hour,
        num_calls=summary["num_jobs"],
        num_clips=int((latency >= 0).sum()),
        busy_s=tally.busy_s,
        paid_s=num_devices * tally.ended_at,
        slo_attainment=summary["slo_attainment"],
        p50_s=summary["p50_s"],
        p95_s=summary["p95_s"],
        mean_wait_s=float(np.maximum(0.0, latency[served] - solo_s[served]).mean()) if served.any() else 0.0,
    )
