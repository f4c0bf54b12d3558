"""Writes the numbers of the README from the result files, so that they cannot drift apart.

python -m benchmarks.readme
"""

from __future__ import annotations

import json
import re
from typing import Any

from benchmarks.record import RESULTS, ROOT

README = ROOT / "README.md"
BLOCK = re.compile(r"(<!-- numbers[^>]*-->\n).*?(<!-- /numbers -->)", re.DOTALL)
LABELS = ("subject", "colour", "motion", "scene")


def read(name: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return result


def speed() -> list[str]:
    """The engine beside the stock pipeline."""
    values = read("engine")
    machine = values["origin"]["machine"]
    lines = [
        f"**Speed**, pocket model, {values['steps']} steps, from sentence to frames, {machine['cores']} cores of an {machine['cpu']}",
        "(`python -m benchmarks.engine`):",
        "",
        "| clips | stock `WanPipeline`, together | cinelet, one after another | cinelet, together | time / stock | gain of joining |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for row in values["clips"]:
        ours, alone, stock = row["cinelet_together_s"], row["cinelet_one_by_one_s"], row["stock_together_s"]
        lines.append(f"| {row['clips']} | {stock:.2f} s | {alone:.2f} s | {ours:.2f} s | {ours / stock:.2f} | {alone / ours:.2f} × |")
    memory = read("memory")["one_clip"]
    peaks = ", ".join(f"{memory[rung]['peak_mib']:.0f} ({memory[rung]['predicted_mib']:.0f})" for rung in ("full", "frames", "tiles"))
    told = f"Peak memory of one clip in MiB, predicted in brackets, by rung of the decode ladder: {peaks};"
    return [*lines, "", told, f"stock {memory['stock']['peak_mib']:.0f} (`python -m benchmarks.memory`)."]


def accuracy() -> list[str]:
    """What the pocket model understands."""
    values = read("pocket_held_out")
    rows = {"all": values, "English": values["by_language"]["en"], "Chinese": values["by_language"]["zh"]}
    judge = 100 * min(values["classifier"].values())
    lines = [
        f"**Understanding**: share of {values['num_prompts']} held-out sentences (wordings not seen in training) whose clip shows",
        f"what they say, {values['steps']} steps, read by a classifier that is itself right on {judge:.1f} % or more of drawn clips:",
        "",
        "| sentences | " + " | ".join(LABELS) + " |",
        "|---|" + "---:|" * len(LABELS),
    ]
    lines += [f"| {name} | " + " | ".join(f"{100 * row[label]:.1f} %" for label in LABELS) + " |" for name, row in rows.items()]
    sweep = read("pocket_accuracy")["conditions"]["num_prompts"]
    return [*lines, "", f"Against steps and samplers, {sweep} sentences a cell: [table](benchmarks/results/pocket_accuracy.md)."]


def block() -> str:
    return "\n".join([*speed(), "", *accuracy()]) + "\n"


def main() -> None:
    text = README.read_text(encoding="utf-8")
    README.write_text(BLOCK.sub(lambda match: match[1] + block() + match[2], text), encoding="utf-8")


if __name__ == "__main__":
    main()
