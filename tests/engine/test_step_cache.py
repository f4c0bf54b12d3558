"""Cached steps: chosen by a measured table, exact in every file, mark and group, and refused where nothing was measured."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
import torch

from cinelet.engine import Engine, Trajectory, load_model
from cinelet.engine.step_cache import STEP_CACHE_TABLE, TOLERANCES, Smoothness, VelocityCache, measure, read_table, write_table
from cinelet.errors import InvalidValueError, ModelFilesError
from cinelet.models import Catalogue, plan
from cinelet.video import STOCHASTIC_SAMPLERS, SamplerName, VideoRequest
from tests.engine.clips import advance, assert_equal_clip, assert_same_clip, generate, make_plan, recorded_batches
from tests.engine.conftest import Checkpoint

STEPS = 12
EVEN = Smoothness(levels=(0.0, 1.0), slopes=(10.0, 10.0), bends=(2.0, 2.0))
"""A model whose velocity bends alike everywhere and is never still."""


def cached(checkpoint: Checkpoint, table: Smoothness = EVEN) -> Engine:
    """An engine whose model was measured."""
    return Engine(dataclasses.replace(checkpoint.model, smoothness=table))


@pytest.fixture
def engine(checkpoints: dict[str, Checkpoint]) -> Engine:
    """A fresh engine with a table."""
    return cached(checkpoints["dense"])


def skips(engine: Engine, trajectory: Trajectory) -> list[bool]:
    """For each step whether it was drawn on, while the trajectory runs to its end."""
    found = []
    while not trajectory.is_done:
        found.append(engine.denoiser.key(trajectory).is_skipped)
        engine.step([trajectory])
    return found


def test_more_steps_are_drawn_on_the_more_error_is_accepted() -> None:
    levels = [1 - i / 40 for i in range(40)]
    counts = [sum(order is not None for order in EVEN.orders(levels, [0] * 40, tolerance)) for tolerance in (0.0, 0.004, 0.02, 0.1)]
    assert counts[0] == 0
    assert counts == sorted(set(counts))


def test_every_predicted_error_is_within_the_tolerance() -> None:
    levels = [1 - (i / 30) ** 2 for i in range(30)]
    orders = EVEN.orders(levels, [0] * 30, 0.01)
    computed = [i for i, order in enumerate(orders) if order is None]
    for step, order in enumerate(orders):
        if order is not None:
            known = [levels[i] for i in computed if i < step]
            assert EVEN.errors(levels[step], known)[order] <= 0.01


def test_the_first_two_steps_of_each_expert_and_the_last_step_are_always_computed() -> None:
    orders = EVEN.orders([1 - i / 20 for i in range(20)], [0] * 9 + [1] * 11, 100.0)
    assert [i for i, order in enumerate(orders) if order is None] == [0, 1, 9, 10, 19]


def test_a_velocity_that_hardly_changes_is_held_still_and_one_that_runs_straight_is_drawn_on() -> None:
    levels = [1 - i / 10 for i in range(10)]
    still = Smoothness(levels=(0.0, 1.0), slopes=(0.0, 0.0), bends=(9.0, 9.0))
    straight = Smoothness(levels=(0.0, 1.0), slopes=(9.0, 9.0), bends=(0.0, 0.0))
    assert set(still.orders(levels, [0] * 10, 0.01)) == {None, 0}
    assert set(straight.orders(levels, [0] * 10, 0.01)) == {None, 1}


def test_a_straight_run_is_drawn_on_exactly_and_measures_as_straight() -> None:
    start, direction = torch.randn(2, 1, 4, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    levels = (0.9, 0.7, 0.6, 0.2)
    velocities = [start + level * direction for level in levels]
    cache = VelocityCache(levels, (0,) * 4, (None, None, 1, 1))
    cache.keep(0, velocities[0])
    cache.keep(1, velocities[1])
    torch.testing.assert_close(cache.extrapolate(3), velocities[3])
    _, slopes, bends = measure(levels, velocities)
    assert slopes == pytest.approx([float(direction.norm() / v.norm()) for v in velocities[2:]], rel=1e-4)
    assert max(bends) < 1e-4


@pytest.mark.parametrize("sampler", ["unipc", "dpm++", "euler"])
def test_steps_that_are_drawn_on_run_no_forward(engine: Engine, sampler: str) -> None:
    trajectory = engine.admit(make_plan(sampler=sampler, num_inference_steps=STEPS, step_cache="strong"))
    with recorded_batches(engine.model.experts[0]) as sizes:
        skipped = skips(engine, trajectory)
    assert 3 <= sum(skipped) < STEPS - 2
    assert len(sizes) == STEPS - sum(skipped)


def test_without_the_word_nothing_is_drawn_on(engine: Engine, checkpoints: dict[str, Checkpoint]) -> None:
    plan = make_plan(num_inference_steps=STEPS)
    assert engine.admit(plan).cache is None
    assert_equal_clip(generate(engine, plan), generate(Engine(checkpoints["dense"].model), plan))


def test_a_tolerance_of_nothing_draws_the_clip_without_a_cache(checkpoints: dict[str, Checkpoint]) -> None:
    rough = Smoothness(levels=(0.0, 1.0), slopes=(1e9, 1e9), bends=(1e9, 1e9))
    engine = cached(checkpoints["dense"], rough)
    video = generate(engine, make_plan(num_inference_steps=STEPS, step_cache="strong"))
    expected = generate(engine, make_plan(num_inference_steps=STEPS))
    assert_equal_clip(video, expected)
    assert video.plan.step_cache == "strong", "the result says what was asked for"


@pytest.mark.parametrize("layout", ["dense", "two_experts", "expanded"])
@pytest.mark.parametrize("sampler", ["unipc", "euler"])
def test_a_cached_trajectory_saved_at_any_step_continues_exactly(
    checkpoints: dict[str, Checkpoint], tmp_path: Path, layout: str, sampler: str
) -> None:
    engine = cached(checkpoints[layout])
    plan = make_plan(sampler=sampler, num_inference_steps=STEPS, step_cache="strong")
    trajectory = engine.admit(plan)
    for step in range(STEPS):
        trajectory.save(tmp_path / f"{step}")
        engine.step([trajectory])
    unbroken = engine.finish(trajectory)
    # The file knows which steps are drawn on: another table, or none, changes nothing about a clip that has begun.
    plain = Engine(checkpoints[layout].model)
    for step in range(STEPS):
        assert_equal_clip(plain.finish(advance(plain, plain.resume(tmp_path / f"{step}"))), unbroken)


def test_going_back_restores_what_was_remembered(engine: Engine) -> None:
    plan = make_plan(num_inference_steps=STEPS, step_cache="strong")
    expected = generate(engine, plan)
    trajectory = engine.admit(plan)
    for step in range(STEPS):
        mark = trajectory.mark()
        advance(engine, trajectory, min(3, STEPS - step))
        trajectory.go_back(mark)
        engine.step([trajectory])
    assert_equal_clip(engine.finish(trajectory), expected)


def test_clips_that_draw_on_and_clips_that_compute_are_grouped_apart(engine: Engine) -> None:
    plans = [make_plan(seed=i, num_inference_steps=STEPS, step_cache=cache) for i, cache in enumerate(("strong", "off", "strong"))]
    running = [engine.admit(plan) for plan in plans]
    shapes = set()
    while groups := engine.groups(running):
        shapes.add(tuple(len(group) for group in groups))
        for group in groups:
            engine.step(group)
    assert shapes == {(3,), (2, 1)}
    for trajectory, its_plan in zip(running, plans, strict=True):
        assert_same_clip(engine.finish(trajectory), generate(engine, its_plan))


def test_another_prompt_forgets_the_velocities_of_the_old_one(engine: Engine) -> None:
    plan = make_plan(num_inference_steps=STEPS, step_cache="strong")
    trajectory = advance(engine, engine.admit(plan), 5)
    engine.branch(trajectory, dataclasses.replace(plan, prompt="a blue boat"))
    assert skips(engine, trajectory)[:2] == [False, False]


def test_a_model_that_was_not_measured_refuses_and_says_what_to_run(checkpoints: dict[str, Checkpoint], tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match=r"step_cache.*mild.*off only.*benchmarks\.step_cache --calibrate"):
        Engine(checkpoints["dense"].model).admit(make_plan(step_cache="mild"))
    with pytest.raises(InvalidValueError, match=r"step_cache.*wan2\.2-ti2v-5b takes off only.*--calibrate"):
        plan(VideoRequest(prompt="a car", model="wan2.2-ti2v-5b", step_cache="mild"), Catalogue(tmp_path).get("wan2.2-ti2v-5b"))


@pytest.mark.parametrize("sampler", STOCHASTIC_SAMPLERS)
def test_a_sampler_that_draws_noise_refuses_the_cache(engine: Engine, tmp_path: Path, sampler: SamplerName) -> None:
    message = re.escape(f"the sampler {sampler} draws noise")
    with pytest.raises(InvalidValueError, match=message):
        engine.admit(make_plan(sampler=sampler, step_cache="mild"))
    with pytest.raises(InvalidValueError, match=message):
        plan(VideoRequest(prompt="a car", sampler=sampler, step_cache="mild"), Catalogue(tmp_path).get("pocket"))


def test_the_pocket_model_was_measured(tmp_path: Path) -> None:
    card = Catalogue(tmp_path).get("pocket")
    table = read_table(card.folder)
    assert table is not None
    assert plan(VideoRequest(prompt="a car", step_cache="mild"), card).step_cache == "mild"
    levels = [1 - i / 25 for i in range(25)]
    counts = {name: sum(order is not None for order in table.orders(levels, [0] * 25, tolerance)) for name, tolerance in TOLERANCES.items()}
    assert 0 < counts["mild"] < counts["strong"] < 20


def test_a_table_is_read_back_as_it_was_written_and_is_no_part_of_what_draws(checkpoints: dict[str, Checkpoint], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.symlink_to(checkpoints["dense"].folder)
    assert read_table(tmp_path) is None
    write_table(tmp_path, EVEN, "a note")
    assert read_table(tmp_path) == EVEN
    assert load_model(folder, torch.device("cpu")).smoothness is None


@pytest.mark.parametrize(
    "text",
    [
        "levels = [0.1",
        "levels = [0.1]\nslopes = [1]",
        "levels = []\nslopes = []\nbends = []",
        "levels = [0.1, 0.2]\nslopes = [1]\nbends = [1, 2]",
        "levels = [0.2, 0.1]\nslopes = [1, 1]\nbends = [1, 2]",
        "levels = [0.1, 0.2]\nslopes = [1, nan]\nbends = [1, 2]",
        "levels = [0.1, 0.2]\nslopes = [1, -1]\nbends = [1, 2]",
        "levels = 3\nslopes = 1\nbends = 2",
    ],
)
def test_a_damaged_table_is_refused_by_its_name(tmp_path: Path, text: str) -> None:
    (tmp_path / STEP_CACHE_TABLE).write_text(text)
    with pytest.raises(ModelFilesError, match=r"step_cache\.toml"):
        read_table(tmp_path)
