"""Clips that share a forward: who may, who joins and leaves when, and that nobody notices the others."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from cinelet.engine import Engine, Trajectory
from cinelet.errors import CineletError
from cinelet.video import SAMPLERS, Plan, Video
from tests.engine.clips import advance, assert_equal_clip, assert_same_clip, generate, make_plan, recorded_batches
from tests.engine.conftest import Checkpoint

PROMPTS = ("a red car", "猫", "a very long description of a small storm over a quiet harbour", "🐈", "b")


def random_plan(rng: random.Random) -> Plan:
    """A clip that shares little with any other."""
    return make_plan(
        prompt=rng.choice(PROMPTS),
        negative_prompt=rng.choice(("", "ugly", "模糊")),
        seed=rng.randrange(1000),
        sampler=rng.choice(SAMPLERS),
        num_inference_steps=rng.randint(1, 9),
        guidance_scale=rng.choice((1.0, 2.5, 4.0, 6.0)),
        guidance_scale_2=rng.choice((1.0, 3.0)),
        flow_shift=rng.choice((3.0, 5.0)),
        height=rng.choice((32, 32, 48)),
    )


def run_with_changing_company(engine: Engine, plans: list[Plan], rng: random.Random) -> list[Video]:
    """Each clip joins at some step, and sits out some steps of the others."""
    waiting = list(range(len(plans)))
    running: dict[int, Trajectory] = {}
    done: dict[int, Video] = {}
    while len(done) < len(plans):
        while waiting and (not running or rng.random() < 0.5):
            number = waiting.pop()
            running[number] = engine.admit(plans[number])
        for group in engine.groups([t for t in running.values() if rng.random() < 0.8]):
            engine.step(group)
        for number in [n for n, t in running.items() if t.is_done]:
            done[number] = engine.finish(running.pop(number))
    return [done[number] for number in range(len(plans))]


@pytest.mark.parametrize("seed", range(4))
def test_joining_and_leaving_at_random_steps_gives_the_clips_of_running_alone(checkpoint: Checkpoint, seed: int) -> None:
    rng = random.Random(seed)
    plans = [random_plan(rng) for _ in range(7)]
    engine = Engine(checkpoint.model, max_group=4)
    with recorded_batches(checkpoint.model.experts[0]) as batches:
        together = run_with_changing_company(engine, plans, rng)
    assert max(batches) > 2, "no two clips ever met"
    for plan, video in zip(plans, together, strict=True):
        assert_same_clip(video, generate(engine, plan))


@pytest.mark.parametrize("seed", range(2))
def test_joined_and_separate_guidance_give_the_same_clip(checkpoints: dict[str, Checkpoint], seed: int) -> None:
    rng = random.Random(seed)
    plans = [random_plan(rng) for _ in range(4)]
    model = checkpoints["two_experts"].model
    joined = run_with_changing_company(Engine(model, join_guidance=True), plans, random.Random(1))
    separate = run_with_changing_company(Engine(model, join_guidance=False), plans, random.Random(1))
    for one, other in zip(joined, separate, strict=True):
        assert_same_clip(one, other)


def test_guidance_is_one_forward_when_joined_and_two_when_separate(checkpoints: dict[str, Checkpoint]) -> None:
    model = checkpoints["dense"].model
    for join_guidance, expected in ((True, [2]), (False, [1, 1])):
        engine = Engine(model, join_guidance=join_guidance)
        trajectory = engine.admit(make_plan())
        with recorded_batches(model.experts[0]) as batches:
            engine.step([trajectory])
        assert batches == expected


def test_a_clip_without_guidance_costs_one_pass(engine: Engine) -> None:
    trajectory = engine.admit(make_plan(guidance_scale=1.0))
    with recorded_batches(engine.model.experts[0]) as batches:
        engine.step([trajectory])
    assert batches == [1]


def test_groups_keep_apart_what_cannot_share_a_forward(two_expert_engine: Engine) -> None:
    engine = two_expert_engine
    plain, tall, longer, unguided = (
        engine.admit(make_plan(**change))
        for change in ({}, {"height": 48}, {"num_frames": 13}, {"guidance_scale": 1.0, "guidance_scale_2": 1.0})
    )
    low_noise = engine.admit(make_plan())
    while engine.denoiser.key(low_noise).expert == 0:
        engine.step([low_noise])
    twin = engine.admit(make_plan(prompt="b", seed=9, sampler="euler", num_inference_steps=3, guidance_scale=7.0, flow_shift=5.0))
    done = advance(engine, engine.admit(make_plan(num_inference_steps=1)))
    groups = engine.groups([plain, tall, done, longer, unguided, low_noise, twin])
    assert groups == [[plain, twin], [tall], [longer], [unguided], [low_noise]]


def test_a_long_group_is_cut_at_the_largest_allowed_in_the_order_of_arrival(checkpoints: dict[str, Checkpoint]) -> None:
    engine = Engine(checkpoints["dense"].model, max_group=3)
    members = [engine.admit(make_plan(seed=seed)) for seed in range(7)]
    assert engine.groups(members) == [members[:3], members[3:6], members[6:]]
    assert engine.groups([]) == []


def test_each_group_fits_the_memory_limit(checkpoints: dict[str, Checkpoint]) -> None:
    model, plan, many = checkpoints["dense"].model, make_plan(), 5000
    unbound = Engine(model).memory(plan)
    limit = unbound.peak("tiles")
    engine = Engine(model, memory_limit_bytes=limit, max_group=many)
    sizes = [len(group) for group in engine.groups([engine.admit(plan)] * many)]
    assert sum(sizes) == many
    assert engine.memory(plan, many).denoise > limit - unbound.resident
    for size in sizes:
        assert engine.memory(plan, size).denoise <= limit - unbound.resident


def test_a_dropped_trajectory_costs_nothing_from_the_next_step_on(engine: Engine) -> None:
    kept, dropped, other = (engine.admit(make_plan(seed=seed)) for seed in range(3))
    with recorded_batches(engine.model.experts[0]) as batches:
        engine.step([kept, dropped, other])
        engine.step([kept, other])
        engine.step([kept])
    assert batches == [6, 4, 2]
    assert dropped.step == 1
    assert_same_clip(engine.finish(advance(engine, kept)), generate(engine, make_plan(seed=0)))


def test_a_dropped_trajectory_can_come_back(engine: Engine) -> None:
    plan = make_plan(sampler="unipc")
    dropped, other = engine.admit(plan), engine.admit(make_plan(seed=8))
    engine.step([dropped, other])
    before = dropped.latents_CTHW.clone()
    advance(engine, other)
    assert torch.equal(dropped.latents_CTHW, before)
    assert_same_clip(engine.finish(advance(engine, dropped)), generate(engine, plan))


def test_the_order_of_a_group_does_not_matter(engine: Engine) -> None:
    plans = [make_plan(seed=seed, prompt=PROMPTS[seed], guidance_scale=2.0 + seed, sampler=SAMPLERS[seed]) for seed in range(4)]
    for order in ([0, 1, 2, 3], [3, 1, 0, 2]):
        group = {number: engine.admit(plans[number]) for number in order}
        for _ in range(plans[0].num_inference_steps):
            engine.step(list(group.values()))
        for number, trajectory in group.items():
            assert_same_clip(engine.finish(trajectory), generate(engine, plans[number]))


@pytest.mark.parametrize(
    ("change", "num_steps"),
    [({"guidance_scale": 1.0, "guidance_scale_2": 1.0}, 0), ({}, 5), ({"height": 48}, 0)],
    ids=["guidance", "expert", "shape"],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_step_of_clips_that_cannot_share_a_forward_is_refused(
    two_expert_engine: Engine, change: dict[str, Any], num_steps: int, is_first: bool
) -> None:
    engine = two_expert_engine
    plain, odd = engine.admit(make_plan()), advance(engine, engine.admit(make_plan(**change)), num_steps)
    before = [t.latents_CTHW.clone() for t in (plain, odd)]
    with pytest.raises((ValueError, AssertionError, CineletError)):
        engine.step([odd, plain] if is_first else [plain, odd])
    assert (plain.step, odd.step) == (0, num_steps)
    for trajectory, latents in zip((plain, odd), before, strict=True):
        assert torch.equal(trajectory.latents_CTHW, latents)


class BrokenError(Exception):
    """Something that is no lack of memory."""


def fail(*_: object, **__: object) -> None:
    """A part that breaks."""
    raise BrokenError


def break_forward(engine: Engine, _: list[Trajectory], patch: pytest.MonkeyPatch) -> None:
    patch.setattr(engine.model.experts[0], "forward", fail)


def break_second_pass(engine: Engine, _: list[Trajectory], patch: pytest.MonkeyPatch) -> None:
    engine.denoiser.join_guidance = False
    calls, forward = [], engine.model.experts[0].forward

    def once(*args: object, **kwargs: object) -> object:
        calls.append(1)
        return forward(*args, **kwargs) if len(calls) == 1 else fail()

    patch.setattr(engine.model.experts[0], "forward", once)


def break_last_sampler(_: Engine, group: list[Trajectory], patch: pytest.MonkeyPatch) -> None:
    patch.setattr(group[-1].sampler, "step", fail)


def break_last_solver(_: Engine, group: list[Trajectory], patch: pytest.MonkeyPatch) -> None:
    scheduler = group[-1].sampler._scheduler
    step = scheduler.step

    def after_work(*args: object, **kwargs: object) -> None:
        step(*args, **kwargs)
        raise BrokenError

    patch.setattr(scheduler, "step", after_work)


@pytest.mark.parametrize("break_it", [break_forward, break_second_pass, break_last_sampler, break_last_solver])
@pytest.mark.parametrize("num_steps", [0, 3])
def test_a_step_that_fails_moves_nobody_and_can_be_taken_again(
    engine: Engine, break_it: Callable[[Engine, list[Trajectory], pytest.MonkeyPatch], None], num_steps: int
) -> None:
    plans = [make_plan(seed=seed, sampler=sampler) for seed, sampler in enumerate(SAMPLERS)]
    group, untroubled = [engine.admit(plan) for plan in plans], [engine.admit(plan) for plan in plans]
    for _ in range(num_steps):
        engine.step(group)
        engine.step(untroubled)
    before = [t.latents_CTHW.clone() for t in group]
    with pytest.MonkeyPatch.context() as patch:
        break_it(engine, group, patch)
        with pytest.raises(BrokenError):
            engine.step(group)
    engine.denoiser.join_guidance = True
    assert [t.step for t in group] == [num_steps] * len(group)
    for trajectory, latents in zip(group, before, strict=True):
        assert torch.equal(trajectory.latents_CTHW, latents)
    for _ in range(plans[0].num_inference_steps - num_steps):
        engine.step(group)
        engine.step(untroubled)
    for one, other in zip(group, untroubled, strict=True):
        assert_equal_clip(engine.finish(one), engine.finish(other))


def test_two_engines_on_one_model_do_not_disturb_each_other(checkpoints: dict[str, Checkpoint]) -> None:
    model = checkpoints["dense"].model
    alone = generate(Engine(model), make_plan())
    first, second = Engine(model), Engine(model)
    in_first, in_second = first.admit(make_plan()), second.admit(make_plan(prompt="a much longer prompt than the other"))
    while not in_first.is_done:
        first.step([in_first])
        second.step([in_second])
    assert_equal_clip(first.finish(in_first), alone)


def test_the_denoising_time_of_a_group_is_shared_by_its_members(checkpoints: dict[str, Checkpoint]) -> None:
    ticks = iter(range(1000))
    engine = Engine(checkpoints["dense"].model, clock=lambda: float(next(ticks)))
    group = [engine.admit(make_plan(num_inference_steps=2, seed=seed)) for seed in range(4)]
    for _ in range(2):
        engine.step(group)
    assert [t.stage_durations_s for t in group] == [{"encode": 1.0, "denoise": 0.5}] * 4
    video = engine.finish(group[0])
    assert video.stage_durations_s == {"encode": 1.0, "denoise": 0.5, "decode": 1.0}


def test_a_clip_is_only_decoded_when_its_steps_are_done(engine: Engine) -> None:
    trajectory = advance(engine, engine.admit(make_plan()), 5)
    with pytest.raises(ValueError, match="step 5 of 6"):
        engine.finish(trajectory)
    assert np.isfinite(engine.finish(advance(engine, trajectory)).frames).all()
