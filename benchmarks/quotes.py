"""What a quote can know: the wait that is quoted at an arrival against the wait that comes, with prices that are exact.

    python -m benchmarks.quotes

The classes, tiers and loads of `benchmarks.calibration`, simulated on one device and on eight. A quote plays the line forward as in the
service; `with_allowance` counts in those who will overtake. What is off is only who comes later and goes first. Writes
results/quotes.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.calibration import CLASSES, LOAD, PARK_S, quotes, trace
from benchmarks.record import write
from cinelet.capacity import Arrival
from cinelet.capacity.fleet import Fleet
from cinelet.capacity.load.summary import ETA_BAND
from cinelet.capacity.sim_job import EPSILON_S, SimJob
from cinelet.capacity.simulator import Simulator
from cinelet.capacity.workload import Workload
from cinelet.scheduling import Outlook, policy_named

WORK_S = dict(zip(CLASSES, (0.16, 0.32, 1.55), strict=True))
DECODE_SHARES = dict(zip(CLASSES, (0.59, 0.50, 0.30), strict=True))
"""As measured by `benchmarks.calibration`."""
DEVICES = (1, 8)
SEEDS = range(12)
NUM_REQUESTS = 120
"""About so many a trace and device."""


def waits(arrivals: list[Arrival], num_devices: int) -> Iterator[tuple[float, ...]]:
    """Work, wait by the line, wait as quoted and latency as it came, of each arrival."""
    policy = policy_named("cinelet")
    jobs = list(Workload(arrivals=arrivals).jobs())
    simulator = Simulator(policy, Fleet(num_devices=num_devices, park_s=PARK_S), iter(jobs))
    quoted_s, is_open = np.zeros((len(jobs), 2)), list[SimJob]()
    while simulator.has_more:
        if (newcomer := simulator.arriving) is not None:
            now, running = newcomer.arrived_at, [job for device in simulator.devices for job in device.runs]
            is_open = [job for job in is_open if job.left_at(now) > EPSILON_S]
            waiting = [job for job in is_open if job not in running]
            outlook = Outlook(waiting, running, num_places=num_devices, policy=policy, now=now)
            quoted_s[newcomer.number] = outlook.wait_s(newcomer), outlook.expected_wait_s(newcomer, now)
            is_open.append(newcomer)
        simulator.tick()
    tally = simulator.tally
    latency_s = dict(zip(tally.column("number").tolist(), tally.column("latency_s").tolist(), strict=True))
    return ((job.solo_s, *quoted_s[i], latency_s[i]) for i, job in enumerate(jobs))


def figures(errors: NDArray[np.float64]) -> dict[str, float]:
    """As in calibration.json; `short` and `long` are those outside of the band."""
    return {**quotes(errors), "short": round(float((errors < -ETA_BAND).mean()), 4), "long": round(float((errors > ETA_BAND).mean()), 4)}


def main() -> None:
    argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0]).parse_args()
    result: dict[str, Any] = {}
    for num_devices in DEVICES:
        for name in LOAD:
            num = num_devices * NUM_REQUESTS
            traces = [trace(name, WORK_S, num, decode_shares=DECODE_SHARES, num_devices=num_devices, seed=seed) for seed in SEEDS]
            rows = [row for arrivals in traces for row in waits(arrivals, num_devices)]
            work_s, by_line_s, quoted_s, latency_s = np.array(rows).T
            result[f"{name}, {num_devices} devices"] = {
                "num": len(rows),
                "by_the_line": figures((work_s + by_line_s - latency_s) / latency_s),
                "with_allowance": figures((work_s + quoted_s - latency_s) / latency_s),
            }
            print(name, num_devices, result[f"{name}, {num_devices} devices"])
    print(write("quotes", result))


if __name__ == "__main__":
    main()
