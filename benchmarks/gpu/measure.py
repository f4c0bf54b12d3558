"""Times of one clip by phase, paired over the variants: all take turns, in one run, on one model."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import torch
from diffusers import WanPipeline

from benchmarks.gpu.build import StockAttention
from benchmarks.gpu.ceiling import seconds
from benchmarks.gpu.variants import Variant
from cinelet.engine import Engine, Trajectory
from cinelet.video import Plan

Row = dict[str, Any]


def attempt(work: Callable[[], Row]) -> Row:
    """What `work` measured, or why it could not: one refusal must not end the run."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - whatever a kernel or an allocator says is the result of this row
        return {"refused": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:300]}
    finally:
        if torch.cuda.is_available():
            gc.collect()
            torch.cuda.empty_cache()


@contextmanager
def switched(variant: Variant) -> Iterator[None]:
    """The variant's turn; it is switched off also where it failed half way."""
    try:
        variant.on()
        yield
    finally:
        variant.off()


def one_clip(engine: Engine, plan: Plan) -> Row:
    """Seconds of encoding (without the cache of prompts), of the first step, of a later step, of decoding; and the peak of memory."""
    device = engine.model.device
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    engine.prompts._known.clear()
    kept: list[Trajectory] = []
    row: Row = {"encode_s": seconds(lambda: kept.append(engine.admit(plan)), device)}
    steps = []
    while not kept[0].is_done:
        steps.append(seconds(lambda: engine.step(kept), device))
    decoded: list[Any] = []
    row |= {"first_step_s": steps[0], "step_s": median(steps[1:] or steps), "denoise_s": sum(steps)}
    row["decode_s"] = seconds(lambda: decoded.append(engine.finish(kept[0])), device)
    row["speed_path"], row["decode"] = decoded[0].speed_path, decoded[0].decode
    if device.type == "cuda":
        row["peak_gib"] = round(torch.cuda.max_memory_allocated(device) / 2**30, 3)
    return row


def take_turns(engine: Engine, plan: Plan, contestants: Sequence[Variant], repeats: int, done: Callable[[], None]) -> dict[str, Row]:
    """Medians of `repeats` rounds by variant, after one that is told apart as the warm-up: there kernels are chosen and compiled."""
    rows: dict[str, list[Row]] = {variant.name: [] for variant in contestants}
    for _ in range(repeats + 1):
        for variant in contestants:
            done()
            if any("refused" in row for row in rows[variant.name]):
                continue

            def turn(variant: Variant = variant) -> Row:
                with switched(variant):
                    return one_clip(engine, variant.plan_of(plan))

            rows[variant.name].append(attempt(turn))
    return {name: summary(turns) for name, turns in rows.items()}


def summary(turns: list[Row]) -> Row:
    """Of the rounds after the first: medians of what is a time, the last of the rest."""
    if "refused" in turns[-1]:
        return turns[-1]
    result: Row = {"warm_up_s": round(turns[0]["first_step_s"], 4)}
    for name, value in turns[-1].items():
        result[name] = round(median(turn[name] for turn in turns[1:]), 4) if name.endswith("_s") else value
    return result


def end_to_end(work: dict[str, Callable[[], object]], device: torch.device, repeats: int, done: Callable[[], None]) -> dict[str, Row]:
    """Median seconds from sentence to frames of each, taking turns, after one unmeasured turn."""
    rows: dict[str, list[Row]] = {name: [] for name in work}
    for _ in range(repeats + 1):
        for name, run in work.items():
            done()
            if not any("refused" in row for row in rows[name]):
                rows[name].append(attempt(lambda run=run: {"total_s": seconds(run, device)}))  # type: ignore[misc]
    return {
        name: turns[-1] if "refused" in turns[-1] else {"total_s": round(median(turn["total_s"] for turn in turns[1:]), 4)}
        for name, turns in rows.items()
    }


def run_ours(engine: Engine, plan: Plan, variant: Variant) -> None:
    """One whole clip by cinelet, the prompt encoded anew as the stock pipeline does."""
    with switched(variant):
        engine.prompts._known.clear()
        trajectory = engine.admit(plan)
        while not trajectory.is_done:
            engine.step([trajectory])
        engine.finish(trajectory)


def run_stock(pipeline: WanPipeline, engine: Engine, plan: Plan) -> None:
    """One whole clip by diffusers."""
    with StockAttention(engine.model.experts):
        pipeline(
            prompt=plan.prompt,
            negative_prompt=plan.negative_prompt,
            height=plan.height,
            width=plan.width,
            num_frames=plan.num_frames,
            num_inference_steps=plan.num_inference_steps,
            guidance_scale=plan.guidance_scale,
            guidance_scale_2=plan.guidance_scale_2 if pipeline.transformer_2 is not None else None,
            generator=torch.Generator().manual_seed(plan.seed),
        )


def batch_step(engine: Engine, plan: Plan, size: int) -> Row:
    """Seconds of one step of `size` clips together, median of three after one unmeasured."""
    group = [engine.admit(plan) for _ in range(size)]
    times = [seconds(lambda: engine.step(group), engine.model.device) for _ in range(min(4, plan.num_inference_steps))]
    return {"step_s": round(median(times[1:] or times), 4)}


def all_steps(engine: Engine, plan: Plan) -> Trajectory:
    """A clip of which only decoding is left."""
    trajectory = engine.admit(plan)
    while not trajectory.is_done:
        engine.step([trajectory])
    return trajectory


def beside(engine: Engine, plan: Plan) -> Row:
    """Seconds of a decode and of the steps of another clip that are taken meanwhile: at once, and the same one after the other."""
    first, second, other, again = all_steps(engine, plan), all_steps(engine, plan), engine.admit(plan), engine.admit(plan)
    usual, engine.decode_beside = engine.decode_beside, True
    try:
        begun = engine.begin_decode(first)
    finally:
        engine.decode_beside = usual
    if begun is None:
        raise RuntimeError("not all weights lie on this device: it decodes alone")

    def at_once() -> None:
        while not (begun.done() or other.is_done):
            engine.step([other])
        engine.finish(first, begun=begun)

    def in_turn() -> None:
        engine.finish(second)
        for _ in range(other.step):
            engine.step([again])

    return {
        "at_once_s": round(seconds(at_once, engine.model.device), 4),
        "in_turn_s": round(seconds(in_turn, engine.model.device), 4),
        "steps": other.step,
    }


def mux(engine: Engine, plan: Plan) -> Row:
    """Seconds of writing whole frames as MP4, and of what is left of that after the last frame where each is written as it is decoded.

    A machine without the codec says so.
    """
    from cinelet.media import write_clip  # noqa: PLC0415 - the codec is no part of what this benchmark needs
    from cinelet.worker.frame_stream import FrameStream  # noqa: PLC0415 - as above

    latents_CTHW = all_steps(engine, plan).latents_CTHW
    stream = FrameStream()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as encoder:
        streamed = encoder.submit(stream.encode, Path(folder) / "streamed.mp4", plan, {})
        frames = engine.decoder.decode(latents_CTHW, plan.num_frames, "frames", stream.put)
        left_s = seconds(streamed.result, torch.device("cpu"))
        whole_s = seconds(lambda: write_clip(frames, Path(folder) / "clip.mp4", plan.fps), torch.device("cpu"))
    return {"mux_s": round(whole_s, 4), "mux_after_last_frame_s": round(left_s, 4)}
