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
TRACES = ("steady", "changing", "bursty")
ORDERS = {
    "fifo+no-preempt": "first come, first served",
    "priority+preempt": "strict tiers, preemptive",
    "edf+preempt": "earliest deadline, preemptive",
    "srpt+preempt": "shortest remaining, preemptive",
    "cinelet+preempt": "**cinelet**",
    "cinelet+preempt+degrade": "**cinelet**, lighter clips permitted",
}
"""What the table shows, as the benchmark names it."""
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
    memory = read("memory")
    told = (
        f"Peak memory is predicted before the launch: over {len(memory['cases'])} kinds of clip within {100 * memory['worst_error']:.0f} %"
    )
    return [*lines, "", told, "of the real one (`python -m benchmarks.memory`)."]


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


def scheduling() -> list[str]:
    """Promises kept on bursty traces, the best tier under a backlog, the simulator against reality."""
    values, vip, calibration = read("policies"), read("vip"), read("calibration")
    settings = values["settings"]
    loads = [f"window 60 s, load {load}" for load in settings["loads"]]
    lines = [
        f"**Promises kept**, simulated on {settings['num_devices']} GPUs with the production scheduler, bursts of index of dispersion "
        f"{settings['dispersion']:g}, {len(settings['seeds'])} seeds,",
        "% of clips in time (`python -m benchmarks.policies`):",
        "",
        "| order | " + " | ".join(f"load {load}" for load in settings["loads"]) + " | longest wait at the middle load |",
        "|---|" + "---:|" * (len(loads) + 1),
    ]
    for name, title in ORDERS.items():
        rows = [values["table"][load]["policies"][name] for load in loads]
        shares = " | ".join(f"{row['slo']:.1f}" for row in rows)
        lines.append(f"| {title} | {shares} | {rows[len(rows) // 2]['longest_wait']:.0f} × its work |")
    ours, theirs = vip["cinelet"], vip["fifo"]
    lines += [
        "",
        f"A clip of the best tier on a real service with the pocket model, alone {ours['alone_s']:.1f} s; while free clips come at "
        f"{vip['overload']:g} times what the device can make, p95 is",
        f"{ours['p95_s']:.1f} s ({ours['p95_over_alone']:.2f} ×); first come, first served it grows without end, "
        f"{theirs['p50_second_half_s']:.0f} s in the second half of {vip['duration_s']:.0f} s (`python -m benchmarks.vip`).",
        "",
        "The simulator against that service (`python -m benchmarks.calibration`): "
        + "; ".join(_beside(name, calibration[name]) for name in TRACES)
        + ". With the device seconds that then came all three figures are within "
        + ", ".join(f"{100 * max(calibration[name]['replayed_apart'].values()):.0f}" for name in TRACES)
        + " %. Times quoted at acceptance were off by "
        + "; ".join(_quoted(name, calibration[name]["quotes"]) for name in TRACES)
        + ".",
    ]
    return lines


def _beside(name: str, part: dict[str, dict[str, float]]) -> str:
    """One trace, simulated against real."""
    ours, real = part["simulated"], part["real"]
    times = f"p50 {ours['p50_s']:.2f} s against {real['p50_s']:.2f}, p95 {ours['p95_s']:.2f} against {real['p95_s']:.2f}"
    return f"{name} trace {times}, in time {100 * ours['slo_attainment']:.0f} % against {100 * real['slo_attainment']:.0f}"


def _quoted(name: str, told: dict[str, float]) -> str:
    """How good the quotes of one trace were."""
    return f"{100 * told['median_error']:.0f} % in the median on the {name} one ({100 * told['share_within_35_percent']:.0f} % within 35 %)"


def tradeoffs() -> list[str]:
    """What speed and memory cost in quality, on the pocket model."""
    few, precision, cache, lora = (read(name) for name in ("few_steps", "precision", "step_cache", "lora"))
    lines = [
        f"**Trade-offs**, pocket model, {few['num_prompts']} sentences (`python -m benchmarks.few_steps`):",
        "",
        "| model | subject | colour | motion | scene | a clip |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, row in few["configurations"].items():
        lines.append(f"| {name} | {' | '.join(f'{100 * row[label]:.1f} %' for label in LABELS)} | {row['clip_s']:.2f} s |")
    return [
        *lines,
        "",
        f"Lighter ways, each alone, 16 steps; points are what the label that suffers most loses over {precision['num_judged']} sentences",
        "(-: not judged; `python -m benchmarks.precision`, `python -m benchmarks.step_cache`):",
        "",
        "| way | takes | frames | points lost |",
        "|---|---:|---:|---:|",
        *lighter_ways(precision["weights"], precision["tiers"], cache["steps"]["16"]),
        "",
        f"A LoRA adapter is switched in {lora['swap_ms']:.0f} ms, first loaded in {lora['first_load_ms']:.0f} ms "
        "(`python -m benchmarks.lora`).",
    ]


def lighter_ways(weights: dict[str, Any], tiers: dict[str, Any], levels: dict[str, Any]) -> list[str]:
    """What each saves, how close its frames are, and what the judge misses in them."""
    best = weights["float32"]
    ways = [(f"{name} weights", weights[name]["share_of_bfloat16"], "of bfloat16's size", weights[name], best) for name in ("int8", "fp8")]
    ways += [
        (f"decoder `{name}`", tiers[name]["decode_s"] / tiers["full"]["decode_s"], "of the decode's time", tiers[name], best)
        for name in ("half", "tiny")
    ]
    ways += [
        (f"cached steps, `{name}`", levels[name]["time_over_off"], "of the denoising time", levels[name], levels["off"])
        for name in ("mild", "strong")
    ]
    lines = []
    for name, share, of_what, row, reference in ways:
        psnr_db = row["psnr_db"] if "psnr_db" in row else row["psnr_db_median"]
        lines.append(f"| {name} | {100 * share:.0f} % {of_what} | {psnr_db:.1f} dB | {points_lost(row, reference)} |")
    return lines


def points_lost(row: dict[str, Any], reference: dict[str, Any]) -> str:
    """The largest loss over the labels that the judge reads, in points of a hundred; a dash where it read none."""
    if "accuracy" not in row or "accuracy" not in reference:
        return "-"
    return f"{100 * max(reference['accuracy'][label] - row['accuracy'][label] for label in LABELS):.1f}"


def gpu_lines(results: list[dict[str, Any]]) -> list[str]:
    """Full-size models on a GPU, a row a clip; nothing where nobody measured."""
    if not results:
        return []
    machine = results[0]["machine"]
    lines = [
        f"**On a GPU**: Wan2.2's architectures with random weights (speed does not depend on them), {machine['device']}, "
        f"{results[0]['dtype']}, from sentence to frames (`python -m benchmarks.gpu`):",
        "",
        "| model | clip | steps | stock diffusers | cinelet lossless | all exact ones together | step over matmul ceiling |",
        "|---|---|---|---:|---:|---:|---:|",
    ]
    for values in results:
        for clip, row in values["clips"].items():
            share = row.get("variants", {}).get("all exact ones together", {}).get("share_of_ceiling")
            reached = "refused" if share is None else f"{100 * share:.0f} %"
            for steps, rows in row.get("end_to_end", {}).items():
                times = " | ".join("refused" if "refused" in told else f"{told['total_s']:.2f} s" for told in rows.values())
                lines.append(f"| {values['model']} | {clip} | {steps} | {times} | {reached} |")
    return lines


def block() -> str:
    on_gpu = gpu_lines([read(path.stem) for path in sorted(RESULTS.glob("gpu_*.json")) if path.stem != "gpu_tiny"])
    return "\n".join([*speed(), "", *accuracy(), "", *tradeoffs(), "", *scheduling(), *([""] if on_gpu else []), *on_gpu]) + "\n"


def main() -> None:
    text = README.read_text(encoding="utf-8")
    README.write_text(BLOCK.sub(lambda match: match[1] + block() + match[2], text), encoding="utf-8")


if __name__ == "__main__":
    main()
