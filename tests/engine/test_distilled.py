"""Clips at the noise levels that a distilled checkpoint was trained for, by the same sampler code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from cinelet.engine import Engine
from cinelet.engine.noise import start
from cinelet.engine.sampler import Sampler
from cinelet.video import Plan
from tests.engine.clips import advance, assert_equal_clip, generate, make_plan

LEVELS = (1000.0, 757.0, 522.0)
CONFIG: Mapping[str, int] = {"num_train_timesteps": 1000}


def plan_at(sampler: str, **changes: object) -> Plan:
    return make_plan(sampler=sampler, timesteps=LEVELS, num_inference_steps=3, guidance_scale=1.0, guidance_scale_2=1.0, **changes)


@pytest.mark.parametrize("sampler", ["euler", "lcm"])
def test_the_walk_visits_the_given_levels_whatever_the_shift(sampler: str) -> None:
    walk = Sampler(sampler, CONFIG, 25, 8.0, torch.device("cpu"), timesteps=LEVELS)
    torch.testing.assert_close(walk.timesteps, torch.tensor(LEVELS))


@pytest.mark.parametrize("sampler", ["euler", "lcm"])
def test_steps_follow_the_formula_of_their_sampler(engine: Engine, sampler: str) -> None:
    """Euler goes straight on along the velocity; LCM goes to the clip it predicts and adds new noise of the next level."""
    plan = plan_at(sampler)
    trajectory = engine.admit(plan)
    expected, generator = start(plan, trajectory.latents_CTHW.shape)
    for level, lower in zip(LEVELS, (*LEVELS[1:], 0.0), strict=True):
        velocity = engine.denoiser.velocity([trajectory])[0]
        engine.step([trajectory])
        sigma, next_sigma = level / 1000, lower / 1000
        clean = expected - sigma * velocity
        if sampler == "euler":
            expected = clean + next_sigma * velocity
        else:
            noise = torch.randn((1, *expected.shape), generator=generator)[0]
            expected = (1 - next_sigma) * clean + next_sigma * noise
        torch.testing.assert_close(trajectory.latents_CTHW, expected, rtol=1e-4, atol=1e-4)
    assert trajectory.is_done


@pytest.mark.parametrize("sampler", ["euler", "lcm"])
def test_a_distilled_clip_stopped_and_resumed_is_the_same_clip(engine: Engine, sampler: str, tmp_path: Path) -> None:
    plan = plan_at(sampler, seed=7)
    through = generate(engine, plan)
    advance(engine, engine.admit(plan), 2).save(tmp_path / "clip")
    again = engine.resume(tmp_path / "clip")
    engine.step([again])
    assert_equal_clip(engine.finish(again), through)
