"""cinelet's engine beside the stock `WanPipeline`, on one checkpoint, in one run, taking turns.

    python -m benchmarks.engine [--model pocket] [--steps 16] [--repeats 3]

Asks: how long does one clip take, what do 2, 4 and 8 together gain over one after another, where does the time go, and what
does each of the engine's own choices bring. Machines are noisy: medians, and ratios of runs that took turns.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import WanPipeline
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from benchmarks.record import write
from cinelet.engine import Engine, load_model
from cinelet.models import Catalogue, plan
from cinelet.settings import load_settings
from cinelet.video import Plan, VideoRequest

PROMPTS = [
    "A red balloon rising at sunset",
    "a blue car driving on a mountain road",
    "一只橙色的猫在公园里跳舞",
    "A robot dancing in a neon city at night",
    "a white rocket taking off under the stars",
    "大海上的一艘紫色小船",
    "a green fish swimming to the left",
    "a panda spinning in the snow",
]
CPU = torch.device("cpu")


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


class Stock:
    """diffusers' own pipeline."""

    def __init__(self, folder: Path) -> None:
        self.pipeline = WanPipeline.from_pretrained(folder)
        self.pipeline.set_progress_bar_config(disable=True)

    def run(self, plans: list[Plan]) -> None:
        first = plans[0]
        self.pipeline(
            prompt=[p.prompt for p in plans],
            height=first.height,
            width=first.width,
            num_frames=first.num_frames,
            num_inference_steps=first.num_inference_steps,
            guidance_scale=first.guidance_scale,
            generator=[torch.Generator().manual_seed(p.seed) for p in plans],
        )


class Ours:
    """cinelet's engine; `options` change one of its choices."""

    def __init__(self, folder: Path, **options: bool) -> None:
        self.engine = Engine(load_model(folder, CPU), join_guidance=options.get("join_guidance", True))
        self.engine.denoiser.fold_prompts = options.get("fold_prompts", True)
        self.stages: dict[str, float] = {}

    def run(self, plans: list[Plan]) -> None:
        trajectories = [self.engine.admit(p) for p in plans]
        while groups := self.engine.groups(trajectories):
            for group in groups:
                self.engine.step(group)
        videos = [self.engine.finish(t) for t in trajectories]
        self.stages = {stage: sum(v.stage_durations_s.get(stage, 0) for v in videos) for stage in ("encode", "denoise", "decode")}


def one_by_one(contestant: Stock | Ours, plans: list[Plan]) -> None:
    for p in plans:
        contestant.run([p])


def medians(contestants: dict[str, Callable[[], object]], repeats: int, bar: Any) -> dict[str, float]:
    """Median seconds of each, taking turns, after one unmeasured turn."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(repeats + 1):
        for name, work in contestants.items():
            spent = seconds(work)
            if turn:
                times[name].append(spent)
            bar.update()
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", default="pocket")
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()

    card = Catalogue(load_settings().models_dir).get(args.model)
    plans = [
        plan(VideoRequest(prompt=prompt, model=card.name, num_inference_steps=args.steps, seed=i), card) for i, prompt in enumerate(PROMPTS)
    ]
    stock, ours = Stock(card.folder), Ours(card.folder)
    variants = {
        "as shipped": ours,
        "guidance split": Ours(card.folder, join_guidance=False),
        "prompt padding not folded": Ours(card.folder, fold_prompts=False),
    }
    sizes = (1, 2, 4, 8)
    bar = tqdm(total=(args.repeats + 1) * (4 * len(sizes) + len(variants)), unit="run", file=sys.stderr)
    together: list[dict[str, Any]] = []
    stages: dict[str, float] = {}
    for n in sizes:
        batch = plans[:n]
        spent = medians(
            {
                "stock_together_s": lambda batch=batch: stock.run(batch),  # type: ignore[misc]
                "stock_one_by_one_s": lambda batch=batch: one_by_one(stock, batch),  # type: ignore[misc]
                "cinelet_together_s": lambda batch=batch: ours.run(batch),  # type: ignore[misc]
                "cinelet_one_by_one_s": lambda batch=batch: one_by_one(ours, batch),  # type: ignore[misc]
            },
            args.repeats,
            bar,
        )
        stages = stages or dict(ours.stages)
        together.append({"clips": n, **{name: round(value, 3) for name, value in spent.items()}})
    ablation = medians({name: (lambda v=v: v.run(plans[:1])) for name, v in variants.items()}, args.repeats, bar)  # type: ignore[misc]
    bar.close()
    one = together[0]
    values = {
        "model": card.name,
        "steps": args.steps,
        "clips": together,
        "one_clip_time_over_stock": round(one["cinelet_together_s"] / one["stock_together_s"], 3),
        "throughput_of_4_together_over_one_by_one": round(together[2]["cinelet_one_by_one_s"] / together[2]["cinelet_together_s"], 3),
        "stages_of_one_clip_s": {stage: round(value, 3) for stage, value in stages.items()},
        "one_clip_by_choice_s": {name: round(value, 3) for name, value in ablation.items()},
    }
    show(values)
    print(write("engine", values))


def show(values: dict[str, Any]) -> None:
    """The table people read."""
    table = Table(
        "clips", "stock together", "stock one by one", "cinelet together", "cinelet one by one", "time / stock", "gain of joining"
    )
    for row in values["clips"]:
        table.add_row(
            str(row["clips"]),
            *(f"{row[name]:.2f} s" for name in ("stock_together_s", "stock_one_by_one_s", "cinelet_together_s", "cinelet_one_by_one_s")),
            f"{row['cinelet_together_s'] / row['stock_together_s']:.2f}",
            f"{row['cinelet_one_by_one_s'] / row['cinelet_together_s']:.2f}",
        )
    console = Console()
    console.print(table)
    for name in ("stages_of_one_clip_s", "one_clip_by_choice_s"):
        console.print(name, values[name])


if __name__ == "__main__":
    main()
