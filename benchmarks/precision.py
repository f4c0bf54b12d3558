"""What weights in fewer bits and lighter decoders cost and give: MiB, seconds a step and a decode, PSNR against float32.

    python -m benchmarks.precision [--model pocket] [--steps 16] [--prompts 4] [--accuracy N]

Each way draws the same prompts from the same seeds. The PSNR of weights is that of frames decoded in full; the PSNR of a decoder's
tier is that of the same latents. `--accuracy` also lets the pocket model's judge read N clips a precision and tier, minutes each.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from benchmarks.engine import CPU, PROMPTS, seconds
from benchmarks.record import write
from cinelet.engine import Engine, Trajectory, load_model
from cinelet.engine.precision import stored_bytes
from cinelet.models import Catalogue, ModelCard, plan
from cinelet.settings import load_settings
from cinelet.video import VAE_TIERS, VideoRequest

WAYS: dict[str, dict[str, Any]] = {
    "float32": {},
    "bfloat16": {"dtype": torch.bfloat16},
    "int8": {"weights": "int8", "text_weights": "int8"},
    "int8 beside bfloat16": {"dtype": torch.bfloat16, "weights": "int8", "text_weights": "int8"},
    "fp8": {"weights": "fp8", "text_weights": "fp8"},
    "fp8 beside bfloat16": {"dtype": torch.bfloat16, "weights": "fp8", "text_weights": "fp8"},
}
"""Options of `load_model`; the first is what others are measured against."""


def draw(engine: Engine, card: ModelCard, steps: int, num_prompts: int) -> list[Trajectory]:
    """Finished trajectories of the first prompts, one after another."""
    done = []
    for seed, prompt in enumerate(PROMPTS[:num_prompts]):
        trajectory = engine.admit(plan(VideoRequest(prompt=prompt, num_inference_steps=steps, seed=seed), card))
        while not trajectory.is_done:
            engine.step([trajectory])
        done.append(trajectory)
    return done


def frames_of(engine: Engine, trajectories: Sequence[Trajectory]) -> list[NDArray[np.uint8]]:
    return [engine.decoder.decode(t.latents_CTHW, t.plan.num_frames) for t in trajectories]


def psnr(ours: Sequence[NDArray[np.uint8]], truth: Sequence[NDArray[np.uint8]]) -> float | None:
    """The mean over clips in dB; None where all are equal."""
    errors = [np.square(a.astype(float) - b).mean() for a, b in zip(ours, truth, strict=True)]
    return round(float(np.mean([10 * np.log10(255**2 / error) for error in errors])), 1) if all(errors) else None


def accuracy(engine: Engine, card: ModelCard, num_prompts: int, **settings: Any) -> dict[str, float | None]:
    """Share of right labels as `training.pocket.evaluate` counts them; `settings` are those of its judge."""
    from training.pocket.classifier import load_classifier  # noqa: PLC0415 - for the pocket model only
    from training.pocket.evaluate import HELD_OUT  # noqa: PLC0415
    from training.pocket.judge import Judge, Settings, accuracies  # noqa: PLC0415
    from training.pocket.prompts import read_rows, spread  # noqa: PLC0415

    judged = Judge(card, engine, load_classifier()).judge(spread(read_rows(HELD_OUT), num_prompts), Settings(**settings))
    return {label: None if share is None else round(share, 4) for label, share in accuracies(list(judged)).items()}


def measure_tiers(engine: Engine, trajectories: Sequence[Trajectory], repeats: int) -> dict[str, Any]:
    """Seconds and PSNR of each decoder on the same latents."""
    truth = frames_of(engine, trajectories)
    found: dict[str, Any] = {}
    for tier in VAE_TIERS:
        if tier == "tiny" and engine.model.tiny_decoder is None:
            continue
        decoder = engine.tiers.get(tier)
        frames = [decoder.decode(t.latents_CTHW, t.plan.num_frames) for t in trajectories]
        first = trajectories[0]
        times = [seconds(lambda: decoder.decode(first.latents_CTHW, first.plan.num_frames)) for _ in range(repeats)]  # noqa: B023
        found[tier] = {"decode_s": round(statistics.median(times), 3), "psnr_db": psnr(frames, truth)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", default="pocket")
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--prompts", type=int, default=4, choices=range(1, len(PROMPTS) + 1), metavar="N")
    parser.add_argument("--repeats", type=int, default=5, help="decodes a tier")
    parser.add_argument("--accuracy", type=int, default=0, metavar="N", help="held-out prompts that the judge reads (pocket only)")
    parser.add_argument("--judged", nargs="+", choices=WAYS, default=list(WAYS), metavar="WAY", help="which weights it reads clips of")
    args = parser.parse_args()

    card = Catalogue(load_settings().models_dir).get(args.model)
    weights: dict[str, dict[str, Any]] = {}
    tiers: dict[str, Any] = {}
    truth: list[NDArray[np.uint8]] = []
    for name, options in tqdm(WAYS.items(), unit="precision", file=sys.stderr):
        model = load_model(card.folder, CPU, options.get("dtype", torch.float32), **{k: v for k, v in options.items() if k != "dtype"})
        engine = Engine(model)
        trajectories = draw(engine, card, args.steps, args.prompts)
        frames = frames_of(engine, trajectories)
        truth = truth or frames
        if not tiers:
            tiers = measure_tiers(engine, trajectories, args.repeats)
            for tier in [*tiers][1:] if args.accuracy else ():
                tiers[tier]["accuracy"] = accuracy(engine, card, args.accuracy, steps=args.steps, vae=tier)
        stored = sum(stored_bytes(module) for module in (*model.experts, model.text_encoder))
        weights[name] = {
            "held": model.precision,
            "weights_mib": round(stored / 2**20, 2),
            "step_s": round(statistics.median(t.stage_durations_s["denoise"] / args.steps for t in trajectories), 3),
            "psnr_db": None if truth is frames else psnr(frames, truth),
        }
        if args.accuracy and name in args.judged:
            weights[name]["accuracy"] = accuracy(engine, card, args.accuracy, steps=args.steps)
    for row in weights.values():
        row["share_of_bfloat16"] = round(row["weights_mib"] / weights["bfloat16"]["weights_mib"], 3)
    show(weights, tiers)
    values = {
        "model": card.name,
        "steps": args.steps,
        "prompts": args.prompts,
        "num_judged": args.accuracy,
        "threads": torch.get_num_threads(),
    }
    print(
        write(
            "precision", {**values, "weights_of": "transformer and text encoder, embeddings included", "weights": weights, "tiers": tiers}
        )
    )


def show(weights: dict[str, dict[str, Any]], tiers: dict[str, Any]) -> None:
    table = Table("weights", "held", "MiB", "of bfloat16", "a step", "PSNR")
    for name, row in weights.items():
        quality = "-" if row["psnr_db"] is None else f"{row['psnr_db']} dB"
        table.add_row(name, row["held"], f"{row['weights_mib']:.1f}", f"{row['share_of_bfloat16']:.0%}", f"{row['step_s']:.3f} s", quality)
    Console().print(table)
    table = Table("decoder", "a decode", "PSNR")
    for tier, row in tiers.items():
        table.add_row(tier, f"{row['decode_s']:.3f} s", "-" if row["psnr_db"] is None else f"{row['psnr_db']} dB")
    Console().print(table)


if __name__ == "__main__":
    main()
