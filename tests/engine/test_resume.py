"""A trajectory that is written down and continued gives the clip of one that never stopped, bit for bit."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from cinelet.engine import Engine
from cinelet.video import SAMPLERS
from tests.engine.clips import advance, assert_equal_clip, generate, make_plan
from tests.engine.conftest import Checkpoint


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize(("layout", "num_inference_steps"), [("dense", 6), ("expanded", 6), ("two_experts", 16)])
def test_a_trajectory_saved_at_any_step_continues_exactly(
    checkpoints: dict[str, Checkpoint], tmp_path: Path, sampler: str, layout: str, num_inference_steps: int
) -> None:
    engine = Engine(checkpoints[layout].model)
    plan = make_plan(sampler=sampler, num_inference_steps=num_inference_steps)
    trajectory = engine.admit(plan)
    for step in range(num_inference_steps + 1):
        trajectory.save(tmp_path / f"{step}")
        if step < num_inference_steps:
            engine.step([trajectory])
    unbroken = engine.finish(trajectory)
    for step in range(num_inference_steps + 1):
        resumed = engine.resume(tmp_path / f"{step}")
        assert resumed.step == step
        assert resumed.plan == plan
        assert_equal_clip(engine.finish(advance(engine, resumed)), unbroken)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_trajectory_written_down_after_every_step_is_the_unbroken_one(two_expert_engine: Engine, tmp_path: Path, sampler: str) -> None:
    engine, path = two_expert_engine, tmp_path / "clip"
    plan = make_plan(sampler=sampler)
    trajectory = engine.admit(plan)
    for _ in range(plan.num_inference_steps):
        engine.step([trajectory])
        trajectory.save(path)
        trajectory = engine.resume(path)
    assert_equal_clip(engine.finish(trajectory), generate(engine, plan))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_both_experts_have_steps_in_these_tests(two_expert_engine: Engine, sampler: str) -> None:
    trajectory = two_expert_engine.admit(make_plan(sampler=sampler))
    experts = []
    while not trajectory.is_done:
        experts.append(two_expert_engine.denoiser.key(trajectory).expert)
        two_expert_engine.step([trajectory])
    assert set(experts) == {0, 1}
    assert experts == sorted(experts)


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("guidance_scale", [4.0, 1.0])
def test_a_file_read_and_written_again_is_the_same_file(engine: Engine, tmp_path: Path, sampler: str, guidance_scale: float) -> None:
    trajectory = advance(engine, engine.admit(make_plan(sampler=sampler, guidance_scale=guidance_scale)), 3)
    trajectory.save(tmp_path / "first")
    engine.resume(tmp_path / "first").save(tmp_path / "second")
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_saving_does_not_disturb_the_trajectory(engine: Engine, tmp_path: Path, sampler: str) -> None:
    plan = make_plan(sampler=sampler)
    trajectory = engine.admit(plan)
    while not trajectory.is_done:
        trajectory.save(tmp_path / "clip")
        engine.step([trajectory])
    assert_equal_clip(engine.finish(trajectory), generate(engine, plan))


def test_a_resumed_trajectory_encodes_no_prompt_again(checkpoints: dict[str, Checkpoint], engine: Engine, tmp_path: Path) -> None:
    advance(engine, engine.admit(make_plan()), 2).save(tmp_path / "clip")
    other = Engine(checkpoints["dense"].model)
    advance(other, other.resume(tmp_path / "clip"))
    assert other.prompts.num_misses == 0


def test_a_resumed_clip_counts_the_time_it_took_before(checkpoints: dict[str, Checkpoint], tmp_path: Path) -> None:
    ticks = iter(range(1000))
    engine = Engine(checkpoints["dense"].model, clock=lambda: float(next(ticks)))
    advance(engine, engine.admit(make_plan()), 2).save(tmp_path / "clip")
    video = engine.finish(advance(engine, engine.resume(tmp_path / "clip")))
    assert video.stage_durations_s == {"encode": 1.0, "denoise": 6.0, "decode": 1.0}


def test_another_process_continues_exactly(checkpoints: dict[str, Checkpoint], tmp_path: Path) -> None:
    rng = random.Random(2024)
    checkpoint = checkpoints["two_experts"]
    engine = Engine(checkpoint.model)
    unbroken = {}
    for sampler in SAMPLERS:
        path = tmp_path / sampler
        plan = make_plan(sampler=sampler, seed=rng.randrange(1000), num_inference_steps=rng.randint(5, 9))
        advance(engine, engine.admit(plan), rng.randint(1, plan.num_inference_steps - 1)).save(path)
        unbroken[path] = generate(engine, plan)
    subprocess.run(
        [sys.executable, "-m", "tests.engine.continue_clips", checkpoint.folder, str(torch.get_num_threads()), *unbroken],
        check=True,
        capture_output=True,
        timeout=120,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    for path, video in unbroken.items():
        continued = np.load(path.with_suffix(".npz"))
        np.testing.assert_array_equal(continued["latents"], video.latents)
        np.testing.assert_array_equal(continued["frames"], video.frames)
