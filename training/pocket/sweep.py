"""Accuracy against steps and samplers, English and Chinese apart: JSON, a table and a plot.

Goes on where an earlier sweep of the same model, prompts and classifier stopped.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.record import RESULTS, origin
from cinelet.video import SamplerName
from training.pocket.classifier import WEIGHTS, recorded_accuracy
from training.pocket.judge import Judge, Settings, summarise
from training.pocket.prompts import Row
from training.pocket.world import LABELS

SWEEP_STEPS = (4, 8, 12, 16, 25)
SWEEP_SAMPLERS: tuple[SamplerName, ...] = ("unipc", "dpm++", "euler")
LANGUAGE_NAMES = {"en": "English", "zh": "Chinese"}


def sweep(judge: Judge, rows: Sequence[Row], settings: Settings, folder: Path = RESULTS) -> dict[str, Any]:
    """Every sampler at every number of steps; what `folder` already holds of the same sweep is kept."""
    path = folder / "pocket_accuracy.json"
    conditions = _conditions(judge, rows, settings)
    report: dict[str, Any] = {
        "origin": origin(),
        "conditions": conditions,
        "classifier": recorded_accuracy(),
        "results": _finished(path, conditions),
    }
    for sampler in SWEEP_SAMPLERS:
        for steps in SWEEP_STEPS:
            if any((result["sampler"], result["steps"]) == (sampler, steps) for result in report["results"]):
                continue
            chosen, began = replace(settings, steps=steps, sampler=sampler), time.monotonic()
            result = summarise(list(judge.judge(rows, chosen)), chosen, time.monotonic() - began)
            report["results"].append({key: result[key] for key in ("sampler", "steps", *LABELS, "num_prompts", "by_language", "seconds")})
            _write(path, json.dumps(report, ensure_ascii=False, indent=1) + "\n")
    _write(path.with_suffix(".md"), as_markdown(report))
    plot(report, path.with_suffix(".png"))
    return report


def _conditions(judge: Judge, rows: Sequence[Row], settings: Settings) -> dict[str, Any]:
    """What makes two sweeps comparable."""
    prompts = json.dumps([asdict(row) for row in rows], ensure_ascii=False)
    return {
        "model_digest": judge.engine.model.digest,
        "prompts": "training/pocket/held_out_prompts.jsonl",
        "num_prompts": len(rows),
        "prompts_digest": _digest(prompts.encode()),
        "classifier_digest": _digest(WEIGHTS.read_bytes()),
        "guidance_scale": judge.card.guidance_scale if settings.guidance_scale is None else settings.guidance_scale,
    }


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def _finished(path: Path, conditions: Mapping[str, Any]) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    report = json.loads(path.read_text(encoding="utf-8"))
    return list(report["results"]) if report["conditions"] == conditions else []


def _write(path: Path, text: str) -> None:
    """Replace a file whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def as_markdown(report: Mapping[str, Any]) -> str:
    """The sweep as tables, one a language."""
    made, conditions = report["origin"], report["conditions"]
    lines = [
        "# Accuracy of the pocket model",
        "",
        f"Share of {conditions['num_prompts']} held-out prompts (`{conditions['prompts']}`) whose clip shows what they say, as the",
        f"classifier reads it (itself right on {share(min(report['classifier'].values()))} or more of held-out drawn clips, by label).",
        "",
        f"`{made['command']}` at commit `{made['commit']}`, model `{conditions['model_digest']}`, guidance scale"
        f" {conditions['guidance_scale']:g}; {made['machine']['cpu']}, {made['machine']['cores']} cores, torch"
        f" {made['versions']['torch']}, {made['date']}.",
    ]
    for language in _languages(report):
        lines += ["", f"## {LANGUAGE_NAMES.get(language, language)}", "", *_table(report["results"], language)]
    return "\n".join(lines) + "\n"


def _languages(report: Mapping[str, Any]) -> list[str]:
    return sorted({language for result in report["results"] for language in result["by_language"]})


def _table(results: Iterable[Mapping[str, Any]], language: str) -> list[str]:
    lines = [f"| sampler | steps | {' | '.join(LABELS)} | s a clip |", "| --- |" + " ---: |" * (len(LABELS) + 2)]
    for result in results:
        shares = " | ".join(share(result["by_language"][language][label]) for label in LABELS)
        lines.append(f"| {result['sampler']} | {result['steps']} | {shares} | {result['seconds'] / result['num_prompts']:.2f} |")
    return lines


def share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


LINES = {"unipc": ("#0b6e99", "o"), "dpm++": ("#d9730d", "s"), "euler": ("#6940a5", "^")}


def plot(report: Mapping[str, Any], path: Path) -> None:
    """Accuracy against steps: a row of small pictures a language, a column a label, a line a sampler. All share both axes."""
    languages = _languages(report)
    figure = Figure(figsize=(11, 0.9 + 2.5 * len(languages)), layout="constrained")
    grid = figure.subplots(len(languages), len(LABELS), sharex=True, sharey=True, squeeze=False)
    for row, language in zip(grid, languages, strict=True):
        for axes, label in zip(row, LABELS, strict=True):
            _plot_one(axes, report["results"], language, label)
        row[0].set_ylabel(f"{LANGUAGE_NAMES.get(language, language)} prompts\nright, %")
    lowest = min(axes.dataLim.ymin for axes in grid.flat)
    grid[0, 0].set_ylim(max(0, lowest // 10 * 10 - 10), 102)
    for axes, label in zip(grid[0], LABELS, strict=True):
        axes.set_title(label, fontsize=11)
    for axes in grid[-1]:
        axes.set_xlabel("denoising steps")
    handles, names = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=len(names), frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def _plot_one(axes: Axes, results: Sequence[Mapping[str, Any]], language: str, label: str) -> None:
    for sampler, (colour, marker) in LINES.items():
        found = sorted((r["steps"], r["by_language"][language][label]) for r in results if r["sampler"] == sampler)
        points = [(steps, 100 * value) for steps, value in found if value is not None]
        if points:
            axes.plot(*zip(*points, strict=True), color=colour, marker=marker, markersize=4, linewidth=1.5, label=sampler)
    axes.set_xticks(SWEEP_STEPS)
    axes.grid(color="#e4e4e7", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
