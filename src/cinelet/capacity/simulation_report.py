"""A simulation as tables and plots. Nothing of how it came about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cinelet.capacity.charts import BLUE, INK, TIER_COLOURS, Chart
from cinelet.capacity.report import ReportFigure, ReportTable, write_report
from cinelet.capacity.simulation import Simulation
from cinelet.capacity.tally import TIER_NAMES, Tally

NAME = "simulation"
WIDE = 20.0
"""From this ratio of largest to smallest latency on, the axis is logarithmic."""
MAX_SHOWN = 4
"""So many contenders have curves of their own; a table holds all."""
NUM_BINS = 100
"""A utilization is the mean over each of so many parts of the run."""
MAX_MARKS = 4000
"""A distribution is drawn through so many of its quantiles at most."""


def policy_table(summaries: Mapping[str, Mapping[str, Any]]) -> ReportTable:
    """One row a policy."""
    tiers = [tier for tier in TIER_NAMES if any(tier in summary["by_tier"] for summary in summaries.values())]
    columns = (
        "policy", "in time %", *(f"{tier} %" for tier in tiers), "p50 s", "p95 s", "p99 s", "refused %", "full quality %", "busy %",
        "longest wait",
    )  # fmt: skip
    rows = [[name, *_row(summary, tiers)] for name, summary in summaries.items()]
    note = "In time: of all that came, refused ones too. Longest wait: in times of the work that was asked for."
    return ReportTable(title="Policies", columns=columns, rows=rows, note=note)


def tier_table(summaries: Mapping[str, Mapping[str, Any]]) -> ReportTable:
    """One row a policy and tier."""
    rows = [
        [name, tier, part["num_jobs"], 100 * part["slo_attainment"], part["p50_s"], part["p95_s"], part["p99_s"]]
        for name, summary in summaries.items()
        for tier, part in summary["by_tier"].items()
    ]
    return ReportTable(title="Tiers", columns=("policy", "tier", "jobs", "in time %", "p50 s", "p95 s", "p99 s"), rows=rows)


def write_simulation_report(folder: Path, simulation: Simulation, data: Mapping[str, Any]) -> Path:
    """Write simulation.json, simulation.html and the plots into `folder`; gives the page's path. Raises what `Draft` raises."""
    summaries = simulation.summaries()
    settings = ", ".join(f"{name} {value}" for name, value in data.get("settings", {}).items() if value is not None)
    return write_report(
        folder,
        NAME,
        title="Simulation",
        data=data,
        tables=[policy_table(summaries), tier_table(summaries)],
        figures=list(_figures(simulation, summaries)),
        notes=[settings] if settings else [],
    )


def _row(summary: Mapping[str, Any], tiers: list[str]) -> list[object]:
    by_tier = summary["by_tier"]
    return [
        100 * summary["slo_attainment"],
        *(100 * by_tier[tier]["slo_attainment"] if tier in by_tier else None for tier in tiers),
        summary["p50_s"],
        summary["p95_s"],
        summary["p99_s"],
        100 * summary["refused_share"],
        100 * summary["full_quality_share"],
        100 * summary["gpu_utilization"],
        summary["longest_wait"],
    ]


def _figures(simulation: Simulation, summaries: Mapping[str, Mapping[str, Any]]) -> Iterator[ReportFigure]:
    note = "The share of all jobs that were there by their deadline."
    yield ReportFigure(name="attainment", title="In time, by policy", png=_attainment(summaries), note=note)
    for number, (name, tally) in enumerate(list(simulation.tallies.items())[-MAX_SHOWN:]):
        note = "The share of served jobs that took at most so long from arrival to clip."
        title = f"Latency by tier: {name}"
        yield ReportFigure(name=f"latency-{number + 1}", title=title, png=_latency(title, tally), note=note)
    note = "Jobs that waited for a device."
    yield ReportFigure(name="queue", title="Waiting jobs", png=_queue(simulation), note=note)
    note = "The mean share of devices that worked, of those that were up."
    yield ReportFigure(name="utilization", title="Busy devices", png=_utilization(simulation), note=note)


def _attainment(summaries: Mapping[str, Mapping[str, Any]]) -> bytes:
    width_in = max(7.6, 1.2 + 1.15 * len(summaries))
    chart = Chart("In time, by policy", x="", y="% of all jobs", width_in=width_in)
    tiers = [tier for tier in TIER_NAMES if any(tier in summary["by_tier"] for summary in summaries.values())]
    bars = {"all": [100 * summary["slo_attainment"] for summary in summaries.values()]}
    colours = {"all": INK, **TIER_COLOURS}
    if len(tiers) > 1:
        for tier in tiers:
            bars[tier] = [100 * summary["by_tier"].get(tier, {}).get("slo_attainment", 0.0) for summary in summaries.values()]
    chart.bars([name.replace("+", "\n+") for name in summaries], bars, colours if len(tiers) > 1 else {"all": BLUE})
    return chart.png()


def _latency(title: str, tally: Tally) -> bytes:
    by_tier = {tier: _thinned(tally.latencies_of(tier)) for tier in TIER_NAMES}
    values = np.concatenate(list(by_tier.values()))
    positive = values[values > 0]
    is_wide = len(positive) > 0 and len(positive) == len(values) and positive.max() > WIDE * positive.min()
    chart = Chart(title, x="latency (s)", y="% of served jobs", log="x" if is_wide else "")
    for tier, latencies in by_tier.items():
        if len(latencies):
            chart.shares(latencies, tier, TIER_COLOURS[tier])
    return chart.png()


def _queue(simulation: Simulation) -> bytes:
    chart = Chart("Waiting jobs", x="time (s)", y="jobs")
    for name, tally in list(simulation.tallies.items())[-MAX_SHOWN:]:
        chart.steps([sample[0] for sample in tally.timeline.samples], [sample[1] for sample in tally.timeline.samples], name)
    return chart.png()


def _utilization(simulation: Simulation) -> bytes:
    chart = Chart("Busy devices", x="time (s)", y="% of those that are up")
    for name, tally in list(simulation.tallies.items())[-MAX_SHOWN:]:
        at, _, busy, up = np.array(tally.timeline.samples, dtype=np.float64).T
        edges = np.linspace(0.0, max(at[-1], 1e-9), NUM_BINS + 1)
        sums = [np.histogram(at, edges, weights=weights)[0] for weights in (busy, up)]
        shown = sums[1] > 0
        chart.line(((edges[1:] + edges[:-1]) / 2)[shown], 100 * (sums[0][shown] / sums[1][shown]), name)
    return chart.png()


def _thinned(latencies: Any) -> Any:
    if len(latencies) <= MAX_MARKS:
        return latencies
    return np.quantile(latencies, np.linspace(0.0, 1.0, MAX_MARKS))
