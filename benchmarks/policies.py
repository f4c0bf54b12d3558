"""Who keeps promises under bursts: every policy, with and without preemption and degradation, on the same traces.

    python -m benchmarks.policies
    python -m benchmarks.policies --off 0.25

8 devices; previews (8 s of work, due after four times that), standard clips (60 s, three times), long ones (240 s, three times); tiers
independent of them, 10 % vip, 50 % standard, 40 % free. Bursts have an index of dispersion of at least 20 (drawn for 25, measured in
the result) in windows of a minute or of ten minutes. A park costs 50 ms. Simulated, without failures and with exact estimates; with
`--off` each is wrong by a factor of its own, of which two thirds lie within that share. Writes results/policies.json, or policies_off.json.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from statistics import mean
from typing import Any

import numpy as np

from benchmarks.record import write
from cinelet.capacity import REFERENCE_MIX, Mix, bursty, index_of_dispersion, mixed
from cinelet.capacity.contender import Contender, parse_contenders
from cinelet.capacity.fleet import Fleet
from cinelet.capacity.simulation import play
from cinelet.capacity.workload import Workload
from cinelet.scheduling.policy import ORDERS

NUM_DEVICES = 8
MIX: Mix = replace(REFERENCE_MIX, tiers={"free": 0.4, "standard": 0.5, "vip": 0.1})
MEAN_WORK_S = sum(one.share * (one.service_s or 0.0) for one in MIX.classes)
CLASSES = {"preview": 8.0, "standard": 60.0, "long": 240.0}
LOADS = (0.3, 0.5, 0.7)
WINDOWS_S = (60.0, 600.0)
DISPERSION = 25.0
SEEDS = (1, 2, 3)
NUM_JOBS = 10_000


def trace(load: float, window_s: float, seed: int, num_jobs: int, off: float) -> tuple[Workload, float]:
    """Bursty arrivals of `load` on all devices together, predictions `off` by that share, and the index of dispersion they have."""
    rng = np.random.default_rng(seed)
    rate = load * NUM_DEVICES / MEAN_WORK_S
    instants = bursty(rate, num_jobs / rate, rng, dispersion=DISPERSION, window_s=window_s)
    arrivals = mixed(instants, MIX, rng)
    if off:
        factors = np.exp(off * rng.standard_normal(len(arrivals)))
        arrivals = [replace(one, predicted_s=(one.service_s or 0.0) * float(factor)) for one, factor in zip(arrivals, factors, strict=True)]
    return Workload(arrivals=arrivals), index_of_dispersion(instants, window_s, num_jobs / rate)


def row(contender: Contender, workload: Workload) -> dict[str, float]:
    """What one contender made of one trace; shares in %."""
    tally = play(workload, Fleet(num_devices=NUM_DEVICES), contender)
    summary = tally.summary(NUM_DEVICES)
    asked_s, is_met = tally.column("asked_s"), tally.column("is_met")
    return {
        "slo": 100 * summary["slo_attainment"],
        **{name: 100 * float(is_met[np.isclose(asked_s, solo_s)].mean()) for name, solo_s in CLASSES.items()},
        **{tier: 100 * part["slo_attainment"] for tier, part in summary["by_tier"].items()},
        "full_quality": 100 * summary["full_quality_share"],
        "longest_wait": summary["longest_wait"],
        "parks_a_job": summary["num_parks"] / summary["num_jobs"],
        "p50_s": summary["p50_s"],
        "p95_s": summary["p95_s"],
    }


def names() -> list[str]:
    return [f"{order}+{preempt}{degrade}" for degrade in ("", "+degrade") for order in ORDERS for preempt in ("no-preempt", "preempt")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=NUM_JOBS, help="a trace")
    parser.add_argument("--off", type=float, default=0.0, help="by how much estimates are wrong, a share")
    args = parser.parse_args()
    num_jobs, off = args.jobs, args.off
    table: dict[str, Any] = {}
    for window_s in WINDOWS_S:
        for load in LOADS:
            traces = [trace(load, window_s, seed, num_jobs, off) for seed in SEEDS]
            results = {}
            for contender in parse_contenders(",".join(names())):
                runs = [row(contender, workload) for workload, _ in traces]
                means = {key: round(mean(run[key] for run in runs), 2) for key in runs[0]}
                results[contender.name] = means | {
                    "longest_wait": max(run["longest_wait"] for run in runs),
                    "slo_by_seed": [round(run["slo"], 2) for run in runs],
                }
            dispersion = [round(found, 1) for _, found in traces]
            table[f"window {window_s:g} s, load {load}"] = {"dispersion": dispersion, "policies": results}
            show(window_s, load, dispersion, results)
    settings = {"num_devices": NUM_DEVICES, "num_jobs": num_jobs, "seeds": SEEDS, "loads": LOADS, "dispersion": DISPERSION, "off": off}
    print(write("policies_off" if off else "policies", {"settings": settings, "table": table}))


def show(window_s: float, load: float, dispersion: list[float], results: dict[str, dict[str, Any]]) -> None:
    print(f"\nwindow {window_s:g} s, load {load}, dispersion {dispersion}")
    heads = ("preview", 8), ("standard", 9), ("long", 7), ("vip", 7), ("full %", 8), ("longest", 9), ("p50 s", 8), ("p95 s", 8)
    print(f"{'policy':28}{'in time %':>10}  {'each seed':22}" + "".join(f"{head:>{width}}" for head, width in heads))
    for name, one in results.items():
        by_seed = " ".join(f"{slo:6.2f}" for slo in one["slo_by_seed"])
        print(
            f"{name:28}{one['slo']:10.2f}  {by_seed:22}{one['preview']:8.1f}{one['standard']:9.1f}{one['long']:7.1f}{one['vip']:7.1f}"
            f"{one['full_quality']:8.1f}{one['longest_wait']:9.1f}{one['p50_s']:8.1f}{one['p95_s']:8.0f}",
            flush=True,
        )
    for suffix in ("", "+degrade"):
        ours = results[f"cinelet+preempt{suffix}"]
        others = {
            name: one for name, one in results.items() if not name.startswith("cinelet") and name.endswith("+degrade") == bool(suffix)
        }
        best = max(others, key=lambda name: others[name]["slo"])
        gains = [round(mine - theirs, 2) for mine, theirs in zip(ours["slo_by_seed"], others[best]["slo_by_seed"], strict=True)]
        print(f"cinelet+preempt{suffix} against {best}: {ours['slo'] - others[best]['slo']:+.2f}, by seed {gains}")


if __name__ == "__main__":
    main()
