"""The best tier under a free backlog that never ends: a real `cinelet serve` with the pocket model, with our policy and with `fifo`.

    python -m benchmarks.vip

Free clips come at `OVERLOAD` times what the device can make, for as long as the run lasts; every `VIP_EVERY_S` seconds, give or take a
third, somebody of the best tier asks for the same clip: one at a time, since what they would wait for each other is no work of the
backlog's. First that clip is timed on the idle service. Writes results/vip.json and docs/images/vip.png.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.playing import play
from benchmarks.record import ROOT, scratch, write
from cinelet.capacity import Arrival
from cinelet.capacity.arrivals import poisson
from cinelet.capacity.charts import Chart
from cinelet.capacity.load.sample import Sample
from tests.support.service import Service

OVERLOAD = 1.6
VIP_EVERY_S = 7.0
NUM_ALONE = 12


def measure(policy: str, folder: Path, duration_s: float) -> tuple[dict[str, Any], list[tuple[float, float]]]:
    """Idle, then under the backlog: the figures, and (second, latency) of each clip of the best tier."""
    with Service(folder, policy=policy, max_wait_s=100_000) as service:
        play(service.url, [Arrival(arrival_s=0.0)])  # warm
        alone = [latency for _ in range(NUM_ALONE) for latency in latencies(play(service.url, [Arrival(arrival_s=0.0, tier="vip")]))]
        alone_s = statistics.median(alone)
        rng = np.random.default_rng(7)
        free = [Arrival(arrival_s=float(at), tier="free") for at in poisson(OVERLOAD / alone_s, duration_s, rng)]
        instants = np.arange(VIP_EVERY_S, duration_s, VIP_EVERY_S)
        instants = instants + rng.uniform(-VIP_EVERY_S / 3, VIP_EVERY_S / 3, len(instants))
        vip = [Arrival(arrival_s=float(at), tier="vip") for at in instants]
        samples = play(service.url, sorted([*free, *vip], key=lambda arrival: arrival.arrival_s), timeout_s=duration_s + 60)
    seen = [(one.intended_s, one.latency_s or 0.0) for one in samples if one.arrival.tier == "vip"]
    waits = [latency for _, latency in seen]
    half = len(waits) // 2
    return {
        "alone_s": round(alone_s, 3),
        "num_vip": len(waits),
        "num_free": len(free),
        "num_free_finished": sum(one.arrival.tier == "free" and one.outcome == "completed" for one in samples),
        "p50_s": round(float(np.percentile(waits, 50)), 3),
        "p95_s": round(float(np.percentile(waits, 95)), 3),
        "p95_over_alone": round(float(np.percentile(waits, 95)) / alone_s, 3),
        "p50_first_half_s": round(statistics.median(waits[:half]), 3),
        "p50_second_half_s": round(statistics.median(waits[half:]), 3),
    }, seen


def latencies(samples: list[Sample]) -> list[float]:
    """Of those that were made."""
    return [one.latency_s for one in samples if one.latency_s is not None and one.outcome == "completed"]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--duration", type=float, default=180.0, help="seconds of load, each policy")
    args = parser.parse_args()
    chart = Chart(
        "A clip of the best tier under a free backlog that never ends", x="second of the run", y="seconds until it is there", log="y"
    )
    figures: dict[str, Any] = {"overload": OVERLOAD, "duration_s": args.duration}
    for policy in ("cinelet", "fifo"):
        with scratch("vip") as folder:
            figures[policy], seen = measure(policy, Path(folder), args.duration)
        chart.points([at for at, _ in seen], [latency for _, latency in seen], policy)
        print(policy, figures[policy])
    chart.level(figures["cinelet"]["alone_s"], "on the idle service")
    (ROOT / "docs/images/vip.png").write_bytes(chart.png())
    write("vip", figures)


if __name__ == "__main__":
    main()
