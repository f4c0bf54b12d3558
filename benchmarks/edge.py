"""An export beside the engine it came from: how close, how small, how fast, on one thread.

    python -m benchmarks.edge [--model pocket] [--prompts 4] [--folder KEPT_EXPORT]

The same latents and embeddings go through torch, onnxruntime, and onnxruntime with int8 weights. The engine folds prompts as the export
does, so both compute the same tokens. Machines are noisy: runs take turns, medians count.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from benchmarks.engine import PROMPTS
from benchmarks.record import scratch, write
from cinelet.edge import EdgeRunner
from cinelet.edge.exporter import export_model
from cinelet.engine import Engine, load_model
from cinelet.models import Catalogue, ModelCard, plan
from cinelet.settings import load_settings
from cinelet.video import PRESETS, Plan, Video, VideoRequest

TURNS = 7
"""Of each timed step and decode."""


def plan_of(card: ModelCard, prompt: str, seed: int, preset: Any = "standard") -> Plan:
    return plan(VideoRequest(prompt=prompt, model=card.name, preset=preset, seed=seed), card)


def export(engine: Engine, card: ModelCard, folder: Path) -> None:
    plans: dict[str, Plan] = {preset: plan_of(card, PROMPTS[0], 0, preset) for preset in PRESETS}
    export_model(engine, plans, folder, prompts=PROMPTS, int8=True, on_stage=lambda _: None)


def reference(engine: Engine, card: ModelCard, prompt: str, seed: int) -> tuple[NDArray[np.float32], Video]:
    """Start latents and the engine's clip."""
    trajectory = engine.admit(plan_of(card, prompt, seed))
    start = trajectory.latents_CTHW.numpy().copy()
    while not trajectory.is_done:
        engine.step([trajectory])
    return start, engine.finish(trajectory)


def psnr_db(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    error = ((one.astype(float) - other.astype(float)) ** 2).mean()
    return round(10 * float(np.log10(255**2 / max(error, 1e-9))), 2)


def medians(contestants: dict[str, Callable[[], object]], bar: Any) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(TURNS + 1):
        for name, work in contestants.items():
            began = time.perf_counter()
            work()
            if turn:
                times[name].append(time.perf_counter() - began)
        bar.update()
    return {name: round(statistics.median(values), 4) for name, values in times.items()}


def size_of(folder: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in folder.glob(pattern))


def errors(engine: Engine, runner: EdgeRunner, card: ModelCard) -> dict[str, float]:
    """Largest differences of one guided forward and of one decode."""
    trajectory = engine.admit(plan_of(card, PROMPTS[0], 0))
    latents = trajectory.latents_CTHW.numpy().copy()
    timestep = trajectory.sampler.timestep.item()
    prompts = [p.numpy() for p in (trajectory.prompt_LD, trajectory.negative_LD) if p is not None]
    velocity = engine.denoiser.velocity([trajectory])[0].numpy()
    with torch.no_grad():
        pixels = engine.model.vae.decode(engine.decoder.denormalise(trajectory.latents_CTHW), return_dict=False)[0].numpy()
    return {
        "transformer": float(np.abs(runner.velocity(latents, timestep, prompts) - velocity).max()),
        "vae_decoder": float(np.abs(runner.pixels(latents) - pixels[0]).max()),
    }


def times(engine: Engine, runners: dict[str, EdgeRunner], card: ModelCard, bar: Any) -> dict[str, dict[str, float]]:
    """Median seconds of a guided step and of a decode."""
    trajectory = engine.admit(plan_of(card, PROMPTS[0], 0))
    latents, timestep = trajectory.latents_CTHW.numpy().copy(), trajectory.sampler.timestep.item()
    prompts = [p.numpy() for p in (trajectory.prompt_LD, trajectory.negative_LD) if p is not None]
    steps: dict[str, Callable[[], object]] = {"torch": lambda: engine.denoiser.velocity([trajectory])}
    steps |= {name: (lambda r=r: r.velocity(latents, timestep, prompts)) for name, r in runners.items()}  # type: ignore[misc]
    decodes: dict[str, Callable[[], object]] = {
        "torch": lambda: engine.decoder.decode(trajectory.latents_CTHW, card.num_frames),
        "onnxruntime": lambda: runners["onnxruntime"].decode(latents),
    }
    return {"step_s": medians(steps, bar), "decode_s": medians(decodes, bar)}


def measure(engine: Engine, card: ModelCard, folder: Path, num_prompts: int) -> dict[str, Any]:
    runners = {name: EdgeRunner(folder, int8=name == "int8", num_threads=1) for name in ("onnxruntime", "int8")}
    with tqdm(total=2 * (TURNS + 1) + num_prompts, unit="turn", file=sys.stderr) as bar:
        clips: dict[str, list[float]] = {name: [] for name in runners}
        for seed, prompt in enumerate(PROMPTS[:num_prompts]):
            start, video = reference(engine, card, prompt, seed)
            for name, runner in runners.items():
                clips[name].append(psnr_db(runner.make(runner.prompt(prompt), latents_CTHW=start), video.frames))
            bar.update()
        spent = times(engine, runners, card, bar)
    large, small = size_of(folder, "transformer.onnx*"), size_of(folder, "transformer.int8.onnx*")
    return {
        "max_abs_error": errors(engine, runners["onnxruntime"], card),
        "transformer_bytes": {"float32": large, "int8": small, "int8_over_float32": round(small / large, 3)},
        "clip_psnr_db": clips,
        **spent,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", default="pocket")
    parser.add_argument("--prompts", type=int, default=4)
    parser.add_argument("--folder", type=Path, help="an export that is there, or is to be kept")
    args = parser.parse_args()
    torch.set_num_threads(1)
    card = Catalogue(load_settings().models_dir).get(args.model)
    engine = Engine(load_model(card.folder, torch.device("cpu")))
    with scratch("edge") as place:
        folder = args.folder or Path(place) / "export"
        if not (folder / "export.json").exists():
            export(engine, card, folder)
        values = {"model": card.name, "threads": 1, **measure(engine, card, folder, args.prompts)}
    show(values)
    print(write("edge", values))


def show(values: dict[str, Any]) -> None:
    """The table people read."""
    table = Table("", "step", "decode", "transformer", "PSNR of a clip beside torch")
    for name, size in (("torch", None), ("onnxruntime", "float32"), ("int8", "int8")):
        decode, clips = values["decode_s"].get(name), values["clip_psnr_db"].get(name)
        table.add_row(
            name,
            f"{values['step_s'][name]:.3f} s",
            f"{decode:.2f} s" if decode else "-",
            f"{values['transformer_bytes'][size] / 1e6:.1f} MB" if size else "-",
            f"{min(clips):.1f} dB at least" if clips else "-",
        )
    console = Console()
    console.print(table)
    console.print("largest differences", values["max_abs_error"])


if __name__ == "__main__":
    main()
