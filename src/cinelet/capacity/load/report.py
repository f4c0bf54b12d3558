"""The report of a load: its numbers, three plots, and a CSV with a line a request. Nothing of sending."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cinelet.capacity.charts import BLUE, GREEN, RED, TIER_COLOURS, Chart
from cinelet.capacity.load.sample import Sample
from cinelet.capacity.report import ReportFigure, ReportTable, write_report
from cinelet.capacity.trace import TIERS
from cinelet.draft import Draft

NAME = "load"
WIDE = 20.0
"""From this ratio of largest to smallest latency on, the axis is logarithmic."""
REQUEST_COLUMNS = (
    "number", "tier", "outcome", "intended_s", "sent_s", "accepted_s", "looked_s", "ended_s", "latency_s", "deadline_s", "eta_s",
    "num_refusals", "retry_after_s", "is_cached", "job_id", "reason",
)  # fmt: skip


def write_load_report(folder: Path, summary: Mapping[str, Any], samples: Sequence[Sample]) -> Path:
    """Write load.json, load.html, the plots and requests.csv into `folder`; gives the page's path. Raises what `Draft` raises."""
    page = write_report(
        folder,
        NAME,
        title=f"Load on {summary['url']}",
        data=summary,
        tables=[tier_table(summary), _honesty_table(summary)],
        figures=list(_figures(samples)),
        notes=[_headline(summary), *summary["warnings"]],
    )
    with Draft(folder / "requests.csv") as draft, draft.path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(REQUEST_COLUMNS)
        writer.writerows([_cell(sample, name) for name in REQUEST_COLUMNS] for sample in samples)
    return page


def tier_table(summary: Mapping[str, Any]) -> ReportTable:
    """One row a tier and one for all: counts, latency, deadlines met."""
    columns = ("tier", "requests", "completed", "failed", "refused", "timed out", "p50 s", "p95 s", "p99 s", "max s", "in time %")
    rows = [_row(tier, part) for tier, part in summary["by_tier"].items()]
    if len(rows) != 1:
        rows.append(_row("all", summary))
    return ReportTable(title="By tier", columns=columns, rows=rows, note="Latency counts from the instant a request was meant to come.")


def _row(name: str, part: Mapping[str, Any]) -> list[object]:
    counts = [part["num_jobs"], part["num_completed"], part["num_failed"] + part["num_unreachable"], part["num_refused"]]
    share = None if part["slo_attainment"] is None else 100.0 * part["slo_attainment"]
    return [name, *counts, part["num_timed_out"], part["p50_s"], part["p95_s"], part["p99_s"], part["max_s"], share]


def _honesty_table(summary: Mapping[str, Any]) -> ReportTable:
    named = {
        "latency from the intended instant": summary,
        "latency from the actual send (naive)": summary["naive_latency"],
        "answer to the submission": summary["accept"],
        "lag of the sender": summary["lag"],
        "completions seen late by at most": summary["seen_late"],
    }
    columns = ("seconds", "p50", "p95", "p99", "max")
    rows = [[name, *(spread[key] for key in ("p50_s", "p95_s", "p99_s", "max_s"))] for name, spread in named.items()]
    eta = summary["eta"]
    note = ""
    if eta["num_quotes"]:
        note = (
            f"ETA: {eta['num_quotes']} quotes, median error {eta['median_error']:.0%}, {eta['share_within_35_percent']:.0%} within ±35 %."
        )
    return ReportTable(title="How it was measured", columns=columns, rows=rows, note=note)


def _headline(summary: Mapping[str, Any]) -> str:
    started_at, throughput = summary["started_at"], summary["throughput_per_s"] or 0.0
    return (
        f"{summary['num_jobs']} requests ({summary['arrivals']}) from {started_at} on, {summary['duration_s']:.0f} s: "
        f"{summary['num_completed']} clips, {60 * throughput:.3g} a minute."
    )


def _figures(samples: Sequence[Sample]) -> Iterator[ReportFigure]:
    tiers = [tier for tier in TIERS if any(one.arrival.tier == tier for one in samples)]
    done: dict[str, list[Sample]] = {
        tier: [one for one in samples if one.arrival.tier == tier and one.outcome == "completed"] for tier in tiers
    }
    lost = [one for one in samples if one.outcome in {"failed", "refused", "timed_out", "unreachable"}]
    note = "Each mark is a request at the instant it was meant to come; crosses ended without a clip."
    yield ReportFigure(name="latency", title="Latency over time", png=_latency(done, lost), note=note)
    note = "The share of completed requests that took at most so long."
    yield ReportFigure(name="distribution", title="Latency by tier", png=_distribution(done), note=note)
    note = "All that came and all clips that were done up to each moment, and how many requests were under way."
    yield ReportFigure(name="flow", title="Requests that came, clips that were done", png=_flow(samples), note=note)


def _latency(done: Mapping[str, Sequence[Sample]], lost: Sequence[Sample]) -> bytes:
    latencies = [one.latency_s or 0.0 for part in done.values() for one in part]
    chart = Chart("Latency over time", x="intended instant (s)", y="latency (s)", log="y" if _is_wide(latencies) else "")
    for tier, part in done.items():
        chart.points([one.intended_s for one in part], [one.latency_s or 0.0 for one in part], tier, TIER_COLOURS[tier])
    if lost:
        chart.points([one.intended_s for one in lost], [one.latency_s or 0.0 for one in lost], "no clip", RED, mark="x")
    return chart.png()


def _distribution(done: Mapping[str, Sequence[Sample]]) -> bytes:
    latencies = [one.latency_s or 0.0 for part in done.values() for one in part]
    chart = Chart("Latency by tier", x="latency (s)", y="% of completed requests", log="x" if _is_wide(latencies) else "")
    for tier, part in done.items():
        chart.shares([one.latency_s or 0.0 for one in part], tier, TIER_COLOURS[tier])
    return chart.png()


def _flow(samples: Sequence[Sample]) -> bytes:
    came = np.sort([one.intended_s for one in samples])
    ended = np.sort([one.ended_s for one in samples if one.ended_s is not None])
    done = np.sort([one.ended_s for one in samples if one.outcome == "completed" and one.ended_s is not None])
    instants = np.unique(np.concatenate([[0.0], came, ended]))
    num_came, num_ended, num_done = (np.searchsorted(part, instants, "right") for part in (came, ended, done))
    chart = Chart("Requests that came, clips that were done", x="seconds since the start", y="requests")
    chart.steps(instants, num_came, "came", TIER_COLOURS["vip"])
    chart.steps(instants, num_done, "done", GREEN)
    chart.steps(instants, num_came - num_ended, "under way", BLUE, filled=True)
    return chart.png()


def _is_wide(latencies: Sequence[float]) -> bool:
    return bool(latencies) and max(latencies) > WIDE * max(min(latencies), 1e-3)


def _cell(sample: Sample, name: str) -> object:
    value = getattr(sample.arrival if name in {"tier", "deadline_s"} else sample, name)
    return round(value, 4) if isinstance(value, float) else "" if value is None else value
