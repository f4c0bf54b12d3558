"""A trajectory that goes on with another prompt: what it has drawn stays, what comes is the new plan's."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cinelet.engine import Engine
from cinelet.errors import InvalidValueError
from cinelet.video import SAMPLERS
from tests.engine.clips import advance, assert_equal_clip, assert_other_clip, generate, make_plan


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_branch_at_the_start_is_the_new_prompts_clip(engine: Engine, sampler: str) -> None:
    plan = make_plan(sampler=sampler, prompt="a blue cat", negative_prompt="ugly", guidance_scale=2.0)
    branched = engine.branch(engine.admit(make_plan(sampler=sampler)), plan)
    assert_equal_clip(engine.finish(advance(engine, branched)), generate(engine, plan))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_branch_keeps_the_finished_steps_and_nothing_more_of_the_old_prompt(engine: Engine, sampler: str) -> None:
    old, new = make_plan(sampler=sampler), make_plan(sampler=sampler, prompt="a blue cat")
    trajectory = advance(engine, engine.admit(old), 3)
    latents = trajectory.latents_CTHW.clone()
    with_history = engine.branch(trajectory, new)
    assert with_history.step == 3
    assert with_history.plan == new
    assert torch.equal(with_history.latents_CTHW, latents)
    video = engine.finish(advance(engine, with_history))
    assert video.plan == new
    assert_other_clip(video, generate(engine, old))
    assert_other_clip(video, generate(engine, new))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_branch_to_the_same_plan_changes_nothing(engine: Engine, sampler: str) -> None:
    plan = make_plan(sampler=sampler)
    trajectory = engine.branch(advance(engine, engine.admit(plan), 3), plan)
    assert_equal_clip(engine.finish(advance(engine, trajectory)), generate(engine, plan))


def test_a_branch_from_a_file_is_the_branch_itself(engine: Engine, tmp_path: Path) -> None:
    new = make_plan(prompt="a blue cat")
    trajectory = advance(engine, engine.admit(make_plan()), 3)
    trajectory.save(tmp_path / "clip")
    from_file = engine.branch(engine.resume(tmp_path / "clip"), new)
    from_memory = engine.branch(trajectory, new)
    assert_equal_clip(engine.finish(advance(engine, from_file)), engine.finish(advance(engine, from_memory)))


def test_guidance_can_be_switched_on_and_off_by_a_branch(engine: Engine) -> None:
    off, on = make_plan(guidance_scale=1.0), make_plan(guidance_scale=4.0)
    assert engine.branch(engine.admit(on), off).negative_LD is None
    assert_equal_clip(engine.finish(advance(engine, engine.branch(engine.admit(on), off))), generate(engine, off))
    assert_equal_clip(engine.finish(advance(engine, engine.branch(engine.admit(off), on))), generate(engine, on))


def test_a_branch_with_another_seed_draws_other_noise_from_there_on(engine: Engine) -> None:
    plan = make_plan(sampler="lcm")
    trajectory = engine.branch(advance(engine, engine.admit(plan), 3), make_plan(sampler="lcm", seed=4))
    assert_other_clip(engine.finish(advance(engine, trajectory)), generate(engine, plan))


@pytest.mark.parametrize(
    "change",
    [{"width": 64}, {"height": 48}, {"num_frames": 13}, {"num_inference_steps": 7}, {"sampler": "euler"}, {"flow_shift": 5.0}],
    ids=lambda change: next(iter(change)),
)
def test_a_branch_that_changes_what_the_finished_steps_rest_on_is_refused(engine: Engine, change: dict[str, object]) -> None:
    plan = make_plan()
    trajectory = advance(engine, engine.admit(plan), 2)
    misses = engine.prompts.num_misses
    with pytest.raises(InvalidValueError, match="must stay") as caught:
        engine.branch(trajectory, make_plan(prompt="a blue cat", **change))
    (field,) = change
    assert caught.value.field == field
    assert caught.value.value == change[field]
    assert str(getattr(plan, field)) in caught.value.limit
    assert trajectory.plan == plan
    assert engine.prompts.num_misses == misses
    assert_equal_clip(engine.finish(advance(engine, trajectory)), generate(engine, plan))
