"""Which denoising steps can be drawn on instead of computed: measures a model, writes its table, shows what the cache does to clips.

    python -m benchmarks.step_cache [--calibrate MODEL] [--model pocket] [--steps 16 25] [--accuracy N]

`--calibrate` runs a few prompts with every step computed, measures how the guided velocity changes with the noise level, and writes
`step_cache.toml` into the checkpoint. Without it the model's table is used: clips with the cache beside the same clips without.
`--accuracy` also lets the pocket model's judge read N clips a level, at the first number of steps.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from benchmarks.engine import PROMPTS
from benchmarks.precision import accuracy
from benchmarks.record import write
from cinelet.engine import Engine, load_model
from cinelet.engine.step_cache import TOLERANCES, Smoothness, measure, write_table
from cinelet.models import Catalogue, ModelCard, plan
from cinelet.models.files import MANIFEST, write_manifest
from cinelet.settings import load_settings
from cinelet.video import STEP_CACHES, Plan, StepCache, Video, VideoRequest

NUM_BINS = 12
QUANTILE = 0.9
"""Of the prompts: the table should promise too little rather than too much."""
CALIBRATION_SEED, CHECK_SEED = 1000, 2000
"""Other noise is checked than was measured."""


def plan_of(card: ModelCard, index: int, steps: int, seed: int, step_cache: StepCache = "off") -> Plan:
    prompt = PROMPTS[index % len(PROMPTS)]
    return plan(VideoRequest(prompt=prompt, model=card.name, num_inference_steps=steps, seed=seed + index, step_cache=step_cache), card)


def calibrate(engine: Engine, card: ModelCard, prompts: range, bar: Any) -> Smoothness:
    """The table of a model: upper quantiles over prompts and step counts, in bins of the noise level."""
    columns: tuple[list[float], list[float], list[float]] = ([], [], [])
    for index in prompts:
        trajectory = engine.admit(plan_of(card, index, card.steps[("standard", "final")[index % 2]], CALIBRATION_SEED))
        levels, velocities = [], []
        while not trajectory.is_done:
            levels.append(float(trajectory.sampler.timestep) / trajectory.sampler.num_train_timesteps)
            velocities.append(engine.denoiser.velocity([trajectory]))
            trajectory.advance(velocities[-1])
            bar.update()
        for column, values in zip(columns, measure(levels, velocities), strict=True):
            column.extend(values)
    return summarise(*(np.array(column) for column in columns))


def summarise(levels: NDArray[np.float64], slopes: NDArray[np.float64], bends: NDArray[np.float64]) -> Smoothness:
    """Bins of equal numbers of samples, each by its middle level and its upper quantiles."""
    bins = [chosen for chosen in np.array_split(np.argsort(levels), NUM_BINS) if len(chosen)]
    middles = [float(levels[chosen].mean()) for chosen in bins]
    rising = [i for i in range(len(bins)) if i == 0 or middles[i] > middles[i - 1]]
    return Smoothness(
        levels=tuple(middles[i] for i in rising),
        slopes=tuple(float(np.quantile(slopes[bins[i]], QUANTILE)) for i in rising),
        bends=tuple(float(np.quantile(bends[bins[i]], QUANTILE)) for i in rising),
    )


def psnr_db(clip: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
    error = float(np.mean((clip.astype(np.float64) - truth) ** 2))
    return float("inf") if error == 0 else 10 * float(np.log10(255**2 / error))


def run(engine: Engine, asked: Plan) -> tuple[Video, float, int]:
    """The clip, the processor seconds of its steps (which other work on the machine does not lengthen), and how many were drawn on."""
    began = time.process_time()
    trajectory = engine.admit(asked)
    skipped = 0
    while not trajectory.is_done:
        skipped += engine.denoiser.key(trajectory).is_skipped
        engine.step([trajectory])
    denoised_s = time.process_time() - began
    return engine.finish(trajectory), denoised_s, skipped


def compare(engine: Engine, card: ModelCard, steps: int, num_prompts: int, bar: Any) -> dict[str, dict[str, Any]]:
    """Each level of the cache beside the clips without it, and beside clips of as few steps as it has forwards; all take turns."""
    rows: dict[str, list[tuple[float, float, int]]] = {}
    for index in range(num_prompts):
        truth, off_s, _ = run(engine, plan_of(card, index, steps, CHECK_SEED))
        rows.setdefault("off", []).append((off_s, 0.0, 0))
        bar.update()
        for name in STEP_CACHES[1:]:
            video, spent_s, skipped = run(engine, plan_of(card, index, steps, CHECK_SEED, name))
            rows.setdefault(name, []).append((spent_s, psnr_db(video.frames, truth.frames), skipped))
            video, spent_s, _ = run(engine, plan_of(card, index, steps - skipped, CHECK_SEED))
            rows.setdefault(f"as few steps as {name} has forwards", []).append((spent_s, psnr_db(video.frames, truth.frames), 0))
            bar.update(2)
    off = [row[0] for row in rows["off"]]
    return {name: summary(values, off) for name, values in rows.items()}


def summary(rows: list[tuple[float, float, int]], off_s: list[float]) -> dict[str, Any]:
    """Medians over the prompts."""
    spent_s, psnrs, skipped = zip(*rows, strict=True)
    return {
        "denoise_cpu_s": round(statistics.median(spent_s), 3),
        "time_over_off": round(statistics.median(mine / other for mine, other in zip(spent_s, off_s, strict=True)), 3),
        "steps_drawn_on": statistics.median(skipped),
    } | ({"psnr_db_median": round(statistics.median(psnrs), 2), "psnr_db_min": round(min(psnrs), 2)} if any(psnrs) else {})


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--calibrate", metavar="MODEL", help="measure this model and write its table")
    parser.add_argument("--model", default="pocket", help="the model whose table is tried")
    parser.add_argument("--prompts", type=int, default=6, help="how many prompts")
    parser.add_argument("--steps", type=int, nargs="+", default=[16, 25])
    parser.add_argument("--accuracy", type=int, default=0, metavar="N", help="held-out prompts that the judge reads (pocket only)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    card = Catalogue(load_settings().models_dir).get(args.calibrate or args.model)
    device = torch.device(args.device)
    engine = Engine(load_model(card.folder, device, torch.float32 if device.type == "cpu" else torch.bfloat16))
    if args.calibrate:
        total = sum(card.steps[("standard", "final")[index % 2]] for index in range(args.prompts))
        with tqdm(total=total, unit="step", file=sys.stderr) as bar:
            table = calibrate(engine, card, range(args.prompts), bar)
        print(
            write_table(
                card.folder, table, f"measured by benchmarks/step_cache.py on {args.prompts} prompts, guidance {card.guidance_scale:g}"
            )
        )
        if (card.folder / MANIFEST).is_file():
            write_manifest(card.folder)
        return
    with tqdm(total=args.prompts * len(args.steps) * (2 * len(STEP_CACHES) - 1), unit="clip", file=sys.stderr) as bar:
        results = {str(steps): compare(engine, card, steps, args.prompts, bar) for steps in args.steps}
    if args.accuracy:
        for level in STEP_CACHES:
            results[str(args.steps[0])][level]["accuracy"] = accuracy(engine, card, args.accuracy, steps=args.steps[0], step_cache=level)
    show(results)
    print(
        write(
            "step_cache",
            {"num_judged": args.accuracy, "model": card.name, "num_prompts": args.prompts, "tolerances": TOLERANCES, "steps": results},
        )
    )


def show(results: dict[str, dict[str, dict[str, Any]]]) -> None:
    table = Table("steps", "cache", "steps drawn on", "denoise", "time / off", "PSNR median", "PSNR least")
    for steps, levels in results.items():
        for name, row in levels.items():
            quality = [f"{row[key]:.1f} dB" if key in row else "" for key in ("psnr_db_median", "psnr_db_min")]
            spent = [f"{row['denoise_cpu_s']:.2f} s", f"{row['time_over_off']:.2f}"]
            table.add_row(steps, name, f"{row['steps_drawn_on']:g}", *spent, *quality)
    Console().print(table)


if __name__ == "__main__":
    main()
