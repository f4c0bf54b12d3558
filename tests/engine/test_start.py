"""Where a clip starts: seeds, given latents, and variations between two seeds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cinelet.engine import Engine
from cinelet.errors import InvalidValueError
from cinelet.video import SAMPLERS
from tests.engine.clips import advance, assert_equal_clip, assert_other_clip, assert_same_clip, generate, make_plan, recorded_batches
from tests.engine.conftest import Checkpoint


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_same_seed_gives_the_same_frames(checkpoint: Checkpoint, sampler: str) -> None:
    plan = make_plan(sampler=sampler)
    first = generate(Engine(checkpoint.model), plan)
    engine = Engine(checkpoint.model)
    generate(engine, make_plan(seed=99, prompt="another clip before", sampler="lcm", width=64))
    torch.manual_seed(1234)
    assert_equal_clip(generate(engine, plan), first)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_another_seed_gives_another_clip(engine: Engine, sampler: str) -> None:
    assert_other_clip(generate(engine, make_plan(sampler=sampler, seed=1)), generate(engine, make_plan(sampler=sampler, seed=2)))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_engine_leaves_the_global_randomness_alone(engine: Engine, sampler: str) -> None:
    before = torch.get_rng_state()
    trajectory = engine.admit(make_plan(sampler=sampler))
    engine.preview(trajectory)
    engine.finish(advance(engine, trajectory))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_seeds_own_latents_given_by_hand_give_the_seeds_clip(engine: Engine, sampler: str) -> None:
    plan = make_plan(sampler=sampler)
    latents = engine.admit(plan).latents_CTHW.numpy().copy()
    given = latents.copy()
    assert_equal_clip(generate(engine, plan, given), generate(engine, plan))
    np.testing.assert_array_equal(given, latents)


def test_given_latents_replace_the_seeds(engine: Engine) -> None:
    latents = engine.admit(make_plan(seed=1)).latents_CTHW.numpy()
    assert_equal_clip(generate(engine, make_plan(seed=2), latents), generate(engine, make_plan(seed=1)))


@pytest.mark.parametrize("kind", [np.float64, np.float16])
def test_given_latents_of_another_precision_or_order_in_memory_are_taken(engine: Engine, kind: type) -> None:
    latents = engine.admit(make_plan()).latents_CTHW.numpy().astype(kind)
    unordered = np.asfortranarray(latents)
    trajectory = engine.admit(make_plan(), unordered)
    assert trajectory.latents_CTHW.dtype == torch.float32
    np.testing.assert_array_equal(trajectory.latents_CTHW.numpy(), latents.astype(np.float32))


def test_changing_given_latents_afterwards_does_not_reach_the_clip(engine: Engine) -> None:
    given = engine.admit(make_plan()).latents_CTHW.numpy().copy()
    trajectory = engine.admit(make_plan(), given)
    given[:] = 0
    assert trajectory.latents_CTHW.std() > 0.5


@pytest.mark.parametrize("shape", [(4, 3, 4, 5), (3, 4, 6), (1, 4, 3, 4, 6), (4, 2, 4, 6), ()])
def test_given_latents_of_a_wrong_shape_are_refused_with_the_right_one(engine: Engine, shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidValueError, match=r"\(4, 3, 4, 6\)") as caught:
        engine.admit(make_plan(), np.zeros(shape, np.float32))
    assert caught.value.field == "latents"
    assert engine.prompts.num_misses == 0


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_given_latents_that_are_not_finite_are_refused(engine: Engine, number: float) -> None:
    latents = np.zeros((4, 3, 4, 6), np.float32)
    latents[3, 2, 3, 5] = number
    with pytest.raises(InvalidValueError, match="finite") as caught:
        engine.admit(make_plan(), latents)
    assert caught.value.field == "latents"


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_variation_of_no_strength_is_the_seeds_own_clip(engine: Engine, sampler: str) -> None:
    plain = generate(engine, make_plan(sampler=sampler))
    assert_equal_clip(generate(engine, make_plan(sampler=sampler, variation_seed=77, variation_strength=0.0)), plain)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_variation_of_full_strength_is_the_other_seeds_clip(engine: Engine, sampler: str) -> None:
    other = generate(engine, make_plan(sampler=sampler, seed=77))
    assert_same_clip(generate(engine, make_plan(sampler=sampler, variation_seed=77, variation_strength=1.0)), other)


def test_variations_move_evenly_from_one_noise_to_the_other_and_stay_noise(engine: Engine) -> None:
    size = {"width": 128, "height": 128}
    start, end = (engine.admit(make_plan(seed=seed, **size)).latents_CTHW for seed in (3, 77))
    former = 0.0
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        latents = engine.admit(make_plan(seed=3, variation_seed=77, variation_strength=share, **size)).latents_CTHW
        to_start, to_end = (float(torch.cosine_similarity(latents.flatten(), x.flatten(), dim=0)) for x in (start, end))
        angle = np.arccos(to_start)
        assert angle == pytest.approx(share * (angle + np.arccos(to_end)), rel=0.05)
        assert former < angle
        assert latents.var() == pytest.approx(float(start.var()), rel=0.05)
        assert latents.mean() == pytest.approx(0.0, abs=0.05)
        former = angle


def test_a_weak_variation_is_nearer_to_its_own_seed(engine: Engine) -> None:
    own, other = generate(engine, make_plan()), generate(engine, make_plan(seed=77))
    between = generate(engine, make_plan(variation_seed=77, variation_strength=0.3))
    assert_other_clip(between, own)
    to_own, to_other = (np.abs(between.latents - clip.latents).mean() for clip in (own, other))
    assert to_own < to_other


def test_a_variation_towards_the_same_seed_is_the_seeds_clip(engine: Engine) -> None:
    plain = generate(engine, make_plan(seed=3))
    assert_same_clip(generate(engine, make_plan(seed=3, variation_seed=3, variation_strength=0.5)), plain)


def test_admitting_runs_no_step(engine: Engine) -> None:
    with recorded_batches(engine.model.experts[0]) as batches:
        trajectory = engine.admit(make_plan())
    assert batches == []
    assert trajectory.step == 0
    assert not trajectory.is_done
    assert trajectory.latents_CTHW.dtype == torch.float32
