"""Full-size Wan2.2 with random weights on this machine's GPU: stock diffusers, cinelet lossless, each optimisation alone, all together.

    python -m benchmarks.gpu [--model 5b|a14b|tiny] [--clips 832x480x17 ...] [--quick] [--cold FOLDER]

Needs torch, triton, diffusers and transformers only (no server, no weights). All contestants take turns in one run; times are medians.
What cannot run here (no memory, no such kernel) is written down as refused with its reason, and the others go on.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from benchmarks.gpu.architectures import ARCHITECTURES, Architecture, Clip
from benchmarks.gpu.build import build, stock, write_checkpoint
from benchmarks.gpu.ceiling import ceiling
from benchmarks.gpu.measure import attempt, batch_step, beside, end_to_end, mux, run_ours, run_stock, take_turns
from benchmarks.gpu.variants import variants
from benchmarks.record import write
from cinelet.engine import Engine, WanModel, load_model
from cinelet.engine.backend import try_kernels
from cinelet.scheduling.cost import Architecture as Sizes
from cinelet.video import Plan

PROMPT = "A red balloon rises over the roofs of a small town at sunset, seen from a slowly turning camera"
BATCHES = (1, 2, 3, 4)


def machine(device: torch.device) -> dict[str, Any]:
    """What the numbers were measured on, beyond what every record says."""
    if device.type != "cuda":
        return {"device": str(device)}
    name = torch.cuda.get_device_name(device)
    memory_gib = round(torch.cuda.get_device_properties(device).total_memory / 2**30, 1)
    asked = ["nvidia-smi", "--query-gpu=driver_version,clocks.max.sm,power.limit", "--format=csv,noheader"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    return {"device": name, "memory_gib": memory_gib, "cuda": torch.version.cuda, "driver, clock, power": told}


def plan_of(architecture: Architecture, clip: Clip, steps: int, *, is_guided: bool) -> Plan:
    scale = architecture.guidance_scale if is_guided else 1.0
    return Plan(
        prompt=PROMPT,
        negative_prompt="",
        model="random",
        width=clip.width,
        height=clip.height,
        num_frames=clip.num_frames,
        fps=architecture.fps,
        num_inference_steps=steps,
        guidance_scale=scale,
        guidance_scale_2=scale,
        sampler="unipc",
        flow_shift=architecture.flow_shift,
        seed=0,
    )


class Run:
    """One model on one device, and what is asked of it."""

    def __init__(self, name: str, device: torch.device, *, repeats: int, is_quick: bool) -> None:
        self.architecture = ARCHITECTURES[name]
        self.repeats = repeats
        self.is_quick = is_quick
        self.model: WanModel = build(self.architecture, device, torch.bfloat16 if device.type == "cuda" else torch.float32)
        self.engine = Engine(self.model)
        self.pipeline = stock(self.model, self.architecture)

    def clip(self, clip: Clip, bar: Any) -> dict[str, Any]:
        """Everything that is measured of one size."""
        architecture, engine, model = self.architecture, self.engine, self.model
        config = model.experts[0].config
        heads, head_dim = config.num_attention_heads, config.attention_head_dim
        num_tokens = model.num_tokens(model.latent_shape(clip.width, clip.height, clip.num_frames))
        flops = Sizes(heads * head_dim, config.num_layers, config.ffn_dim).forward_flops(num_tokens)
        trials = try_kernels(num_tokens=num_tokens, heads=heads, head_dim=head_dim, device=model.device, dtype=model.dtype)
        contestants = variants(engine, trials)
        most, plain = contestants[-1], contestants[0]
        best = ceiling(num_tokens, heads * head_dim, config.ffn_dim, model.device, model.dtype)
        guided = plan_of(architecture, clip, 3 if self.is_quick else 5, is_guided=True)
        rows = take_turns(engine, guided, contestants, self.repeats, bar.update)
        for row in rows.values():
            if "step_s" in row and "cached" not in row:
                row["tflops"] = round(2 * flops / row["step_s"] / 1e12, 3)
                row["share_of_ceiling"] = round(row["tflops"] / best["square"], 4)
        whole = {}
        for steps, is_guided in ((architecture.steps, True), (architecture.few_steps, False)):
            plan = plan_of(architecture, clip, steps, is_guided=is_guided)
            work = {
                "stock": lambda plan=plan: run_stock(self.pipeline, engine, plan),
                "cinelet lossless": lambda plan=plan: run_ours(engine, plan, plain),
                f"cinelet, {most.name}": lambda plan=plan: run_ours(engine, plan, most),
            }
            key = f"{steps} steps, {'guided' if is_guided else 'no guidance'}"
            whole[key] = end_to_end(work, model.device, 1 if self.is_quick else self.repeats, bar.update)  # type: ignore[arg-type]
        predicted = attempt(lambda: {"predicted_gib": round(engine.memory(guided).peak() / 2**30, 3)})
        return {
            "num_tokens": num_tokens,
            "forward_tflop": round(flops / 1e12, 4),
            "matmul_ceiling_tflops": best,
            "attention": [asdict(trial) for trial in trials],
            "variants": rows,
            "end_to_end": whole,
            "together": {str(n): attempt(lambda n=n: batch_step(engine, guided, n)) for n in BATCHES},  # type: ignore[misc]
            "decode beside steps": attempt(lambda: beside(engine, guided)),
            "memory": predicted | {"real_gib": rows[plain.name].get("peak_gib")},
            "mux": attempt(lambda: mux(engine, plan_of(architecture, clip, 1, is_guided=False))),
        }

    def num_turns(self) -> int:
        """How often a contestant has its turn for one clip."""
        whole = 2 * 3 * ((1 if self.is_quick else self.repeats) + 1)
        return (self.repeats + 1) * len(variants(self.engine, [])) + whole


def cold_start(run: Run, clip: Clip, folder: Path) -> dict[str, Any]:
    """Seconds from files to a loaded model, and on to the end of the first step. The file cache of the system may be warm: say so."""
    if not (folder / "model_index.json").is_file():
        write_checkpoint(run.model, run.architecture, folder)
    device, dtype = run.model.device, run.model.dtype
    num_bytes = sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
    began = time.perf_counter()
    engine = Engine(load_model(folder, device, dtype))
    loaded_s = time.perf_counter() - began
    engine.step([engine.admit(plan_of(run.architecture, clip, 1, is_guided=True))])
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return {"gib": round(num_bytes / 2**30, 3), "load_s": round(loaded_s, 2), "to_first_step_s": round(time.perf_counter() - began, 2)}


def main(arguments: list[str] | None = None) -> Path:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", choices=list(ARCHITECTURES), default="5b")
    parser.add_argument("--clips", nargs="+", default=None, help="sizes such as 832x480x17")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="the first size only, one round")
    parser.add_argument("--cold", type=Path, default=None, metavar="FOLDER", help="write the weights there and time loading them")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args(arguments)
    device = torch.device(args.device)
    repeats = 1 if args.quick else args.repeats
    if device.type == "cpu" and args.model != "tiny":
        parser.error(f"--model {args.model} needs a GPU; --model tiny runs anywhere")
    run = Run(args.model, device, repeats=repeats, is_quick=args.quick)
    clips = [Clip.parse(text) for text in args.clips or run.architecture.clips[: 1 if args.quick else None]]
    values: dict[str, Any] = {
        "model": args.model,
        "weights": "random",
        "dtype": str(run.model.dtype).removeprefix("torch."),
        "repeats": repeats,
    }
    values |= {"machine": machine(device), "clips": {}}
    with torch.no_grad(), tqdm(total=len(clips) * run.num_turns(), unit="turn", file=sys.stderr) as bar:
        for clip in clips:
            values["clips"][str(clip)] = attempt(lambda clip=clip: run.clip(clip, bar))  # type: ignore[misc]
            path = write(f"gpu_{args.model}", values)  # after each size, so that an interrupted run leaves what it has
    if args.cold:
        values["cold"] = attempt(lambda: cold_start(run, clips[0], args.cold))
        path = write(f"gpu_{args.model}", values)
    print(path)
    return path


if __name__ == "__main__":
    main()
