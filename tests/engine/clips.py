"""Plans, runs and distances that the tests of the engine share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    FlowMatchLCMScheduler,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
    WanPipeline,
)
from numpy.typing import NDArray
from PIL import Image

from cinelet.engine import Engine, Trajectory
from cinelet.video import STOCHASTIC_SAMPLERS, Plan, Video

TOLERANCE = 2
"""Of 255: what rounding may do to a frame. The test checkpoints are loud enough that any wrong number does far more."""
LATENTS_TOLERANCE = 2e-3
"""What rounding may do to latents of standard deviation about 1; each setting of a plan moves them by more than 0.1."""

BASE = Plan(
    prompt="a red car",
    negative_prompt="",
    model="tiny",
    width=48,
    height=32,
    num_frames=9,
    fps=8,
    num_inference_steps=6,
    guidance_scale=4.0,
    guidance_scale_2=3.0,
    sampler="unipc",
    flow_shift=3.0,
    seed=3,
)


def make_plan(**changes: Any) -> Plan:
    """A small clip's plan with some fields changed."""
    return dataclasses.replace(BASE, **changes)


def advance(engine: Engine, trajectory: Trajectory, num_steps: int | None = None) -> Trajectory:
    """The trajectory after `num_steps` steps of its own, or after all that are left."""
    until = trajectory.sampler.num_steps if num_steps is None else trajectory.step + num_steps
    while trajectory.step < until:
        engine.step([trajectory])
    return trajectory


def generate(
    engine: Engine, plan: Plan, latents_CTHW: NDArray[np.float32] | None = None, image_HWC: NDArray[np.uint8] | None = None
) -> Video:
    """The clip of a plan that runs alone."""
    return engine.finish(advance(engine, engine.admit(plan, latents_CTHW, image_HWC)))


def make_image(plan: Plan, seed: int = 0) -> NDArray[np.uint8]:
    """Coloured blocks of eight pixels at the plan's size."""
    blocks = np.random.default_rng(seed).integers(0, 256, (plan.height // 8, plan.width // 8, 3), np.uint8)
    return blocks.repeat(8, axis=0).repeat(8, axis=1)


def distance(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> int:
    """The largest difference of two clips anywhere, of 255."""
    assert one.shape == other.shape
    return int(np.abs(one.astype(int) - other.astype(int)).max())


def assert_same_clip(one: Video, other: Video) -> None:
    """Both clips are one clip but for rounding."""
    assert one.latents is not None
    assert other.latents is not None
    np.testing.assert_allclose(one.latents, other.latents, rtol=0, atol=LATENTS_TOLERANCE)
    assert distance(one.frames, other.frames) <= TOLERANCE


def assert_equal_clip(one: Video, other: Video) -> None:
    """Both clips are equal bit for bit."""
    np.testing.assert_array_equal(one.latents, other.latents)
    np.testing.assert_array_equal(one.frames, other.frames)


def assert_other_clip(one: Video, other: Video) -> None:
    """The clips differ far beyond rounding."""
    assert distance(one.frames, other.frames) > 5 * TOLERANCE


@contextmanager
def recorded_batches(expert: torch.nn.Module) -> Iterator[list[int]]:
    """The batch size of each forward of `expert` meanwhile."""
    sizes: list[int] = []
    handle = expert.register_forward_pre_hook(lambda _, args, kwargs: sizes.append(kwargs["hidden_states"].shape[0]), with_kwargs=True)
    try:
        yield sizes
    finally:
        handle.remove()


def reference(pipeline: WanPipeline | WanImageToVideoPipeline, plan: Plan, image_HWC: NDArray[np.uint8] | None = None) -> Video:
    """What the stock pipeline makes of a plan; `num_frames` must be 4n + 1. The latents are those that it decodes."""
    config = pipeline.scheduler.config
    schedulers: dict[str, Callable[[], Any]] = {
        "unipc": lambda: UniPCMultistepScheduler.from_config(config, flow_shift=plan.flow_shift),
        "dpm++": lambda: DPMSolverMultistepScheduler.from_config(config, algorithm_type="dpmsolver++", flow_shift=plan.flow_shift),
        "dpm++sde": lambda: DPMSolverMultistepScheduler.from_config(config, algorithm_type="sde-dpmsolver++", flow_shift=plan.flow_shift),
        "euler": lambda: FlowMatchEulerDiscreteScheduler(shift=plan.flow_shift),
        "lcm": lambda: FlowMatchLCMScheduler(shift=plan.flow_shift),
    }
    generator = torch.Generator().manual_seed(plan.seed)
    scheduler = schedulers[plan.sampler]()
    if plan.sampler in STOCHASTIC_SAMPLERS:
        step = scheduler.step
        scheduler.step = lambda *args, **kwargs: step(*args, generator=generator, **kwargs)
    kept: list[torch.Tensor] = []

    def keep(_: torch.nn.Module, inputs: tuple[torch.Tensor]) -> None:
        kept[:] = inputs

    former, pipeline.scheduler = pipeline.scheduler, scheduler
    handle = pipeline.vae.post_quant_conv.register_forward_pre_hook(keep)
    start = {} if image_HWC is None else {"image": Image.fromarray(image_HWC)}
    try:
        frames = pipeline(
            prompt=plan.prompt,
            negative_prompt=plan.negative_prompt,
            height=plan.height,
            width=plan.width,
            num_frames=plan.num_frames,
            num_inference_steps=plan.num_inference_steps,
            guidance_scale=plan.guidance_scale,
            guidance_scale_2=plan.guidance_scale_2 if pipeline.transformer_2 is not None else None,
            generator=generator,
            output_type="np",
            **start,
        ).frames[0]
    finally:
        handle.remove()
        pipeline.scheduler = former
    config = pipeline.vae.config
    mean, std = (torch.tensor(values)[:, None, None, None] for values in (config.latents_mean, config.latents_std))
    return Video(frames=(frames * 255).round().astype(np.uint8), plan=plan, latents=((kept[0][0] - mean) / std).numpy())
