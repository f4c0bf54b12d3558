"""What a LoRA adapter costs on the pocket model: first load, swap, a step, and what the others of a group notice (nothing).

    python -m benchmarks.lora

The adapters are random low-rank weights for every linear layer of the blocks: speed does not depend on the values.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from benchmarks.record import write
from cinelet.engine import Engine, load_model
from cinelet.models import Adapters, Catalogue, plan
from cinelet.video import LoraUse, Plan, VideoRequest

NUM_SWAPS = 20
LOUDNESS = 0.02
SWAP_BAR_MS = 100.0


def write_adapter(folder: Path, engine: Engine, rank: int, seed: int) -> int:
    """Random weights in diffusers' names; returns their bytes."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, module in engine.model.experts[0].named_modules():
        if isinstance(module, torch.nn.Linear) and name.startswith("blocks"):
            tensors[f"transformer.{name}.lora_A.weight"] = torch.randn(rank, module.in_features, generator=generator).bfloat16()
            tensors[f"transformer.{name}.lora_B.weight"] = LOUDNESS * torch.randn(module.out_features, rank, generator=generator).bfloat16()
    folder.mkdir(parents=True)
    save_file(tensors, folder / "weights.safetensors")
    return (folder / "weights.safetensors").stat().st_size


def milliseconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def swaps(engine: Engine, planned: Plan) -> dict[str, float]:
    """First load from disk, and then from a known adapter to an acting one; medians in milliseconds."""
    plans = [dataclasses.replace(planned, loras=(LoraUse(name),)) for name in ("one", "two")]
    loads = [milliseconds(lambda one=one: engine.adapters.settle(one)) for one in plans]  # type: ignore[misc]  # bound now
    uses = [engine.adapters.settle(one).loras for one in plans]
    times = [milliseconds(lambda i=i: engine.adapters.activate(0, uses[i % 2])) for i in range(NUM_SWAPS)]  # type: ignore[misc]
    off = []
    for _ in range(NUM_SWAPS):
        engine.adapters.activate(0, uses[0])
        off.append(milliseconds(lambda: engine.adapters.activate(0, ())))
    return {"first_load_ms": median(loads), "swap_ms": median(times), "swap_longest_ms": max(times), "switch_off_ms": median(off)}


def steps(engine: Engine, planned: Plan) -> dict[str, float]:
    """One guided step of one clip, without and with an adapter."""
    found = {}
    for name, loras in (("plain_step_ms", ()), ("adapted_step_ms", (LoraUse("one"),))):
        trajectory = engine.admit(dataclasses.replace(planned, loras=loras))
        found[name] = median(milliseconds(lambda: engine.step([trajectory])) for _ in range(planned.num_inference_steps))  # noqa: B023
    return found


def others_notice(engine: Engine, never: np.ndarray, planned: Plan) -> bool:
    """Whether a clip without adapters differs at all from `never` when clips with adapters run beside it."""
    others = [dataclasses.replace(planned, seed=seed, loras=(LoraUse(name),)) for seed, name in ((1, "one"), (2, "two"))]
    trajectories = [engine.admit(planned), *(engine.admit(other) for other in others)]
    while groups := engine.groups(trajectories):
        for group in groups:
            engine.step(group)
    return bool((trajectories[0].latents_CTHW.numpy() != never).any())


def run_alone(engine: Engine, planned: Plan) -> np.ndarray:
    trajectory = engine.admit(planned)
    while not trajectory.is_done:
        engine.step([trajectory])
    result: np.ndarray = trajectory.latents_CTHW.numpy()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    card = Catalogue(Path()).get("pocket")
    planned = dataclasses.replace(plan(VideoRequest(prompt="a red fox running through snow", seed=7), card), num_inference_steps=4)
    model = load_model(card.folder, torch.device("cpu"))
    never = run_alone(Engine(model), planned)
    with tempfile.TemporaryDirectory() as scratch:
        engine = Engine(model, get_adapter=Adapters(Path(scratch)).get)
        size_bytes = write_adapter(Path(scratch) / "one", engine, args.rank, 1)
        write_adapter(Path(scratch) / "two", engine, args.rank, 2)
        values = {**swaps(engine, planned), **steps(engine, planned), "others_differ": others_notice(engine, never, planned)}
    values |= {"rank": args.rank, "adapter_bytes": size_bytes, "num_swaps": NUM_SWAPS, "bar_ms": SWAP_BAR_MS, "threads": args.threads}
    for name, value in values.items():
        print(f"{name:>18}  {value:.2f}" if isinstance(value, float) else f"{name:>18}  {value}")
    write("lora", values)


if __name__ == "__main__":
    main()
