"""The engine draws what diffusers' own pipeline draws. Nothing here depends on how it gets there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cinelet.engine import Engine
from cinelet.models import Catalogue
from cinelet.video import SAMPLERS
from tests.engine.clips import assert_equal_clip, assert_other_clip, assert_same_clip, generate, make_image, make_plan, reference
from tests.engine.conftest import IMAGE_LAYOUTS, LAYOUTS, Checkpoint

ARCHITECTURES = {
    "pocket": "dense",
    "wan2.1-t2v-1.3b": "dense_2.1",
    "wan2.2-ti2v-5b": "expanded",
    "wan2.2-t2v-a14b": "two_experts",
    "fastwan2.2-ti2v-5b": "expanded",
}
"""Model of the catalogue → the layout here that has its architecture."""


def test_the_architecture_of_every_model_of_the_catalogue_is_compared_here(tmp_path: Path) -> None:
    cards = {card.name: card for card in Catalogue(tmp_path).list()}
    layouts = {name: ARCHITECTURES.get(card.base or name, "none") for name, card in cards.items()}
    assert {name: layout for name, layout in layouts.items() if layout not in LAYOUTS} == {}
    takers = {name: layouts[name] for name, card in cards.items() if card.takes_image}
    assert {name: layout for name, layout in takers.items() if layout not in IMAGE_LAYOUTS} == {}


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize(("guidance_scale", "guidance_scale_2"), [(4.0, 2.5), (3.0, 1.0), (1.0, 1.0)])
def test_each_sampler_gives_the_reference_clip(
    checkpoint: Checkpoint, sampler: str, guidance_scale: float, guidance_scale_2: float
) -> None:
    plan = make_plan(sampler=sampler, guidance_scale=guidance_scale, guidance_scale_2=guidance_scale_2)
    assert_same_clip(generate(Engine(checkpoint.model), plan), reference(checkpoint.pipeline, plan))


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize(("guidance_scale", "guidance_scale_2"), [(4.0, 2.5), (1.0, 1.0)])
def test_a_start_image_gives_the_reference_clip(
    image_checkpoint: Checkpoint, sampler: str, guidance_scale: float, guidance_scale_2: float
) -> None:
    plan = make_plan(sampler=sampler, guidance_scale=guidance_scale, guidance_scale_2=guidance_scale_2, image="a digest")
    image_HWC = make_image(plan)
    clip = generate(Engine(image_checkpoint.model), plan, image_HWC=image_HWC)
    assert_same_clip(clip, reference(image_checkpoint.image_pipeline, plan, image_HWC))


@pytest.mark.parametrize(("width", "height", "num_frames"), [(16, 16, 1), (32, 64, 5), (80, 48, 17)])
def test_a_start_image_of_any_size_gives_the_reference_clip(image_checkpoint: Checkpoint, width: int, height: int, num_frames: int) -> None:
    plan = make_plan(width=width, height=height, num_frames=num_frames, num_inference_steps=3, image="a digest")
    image_HWC = make_image(plan)
    clip = generate(Engine(image_checkpoint.model), plan, image_HWC=image_HWC)
    assert_same_clip(clip, reference(image_checkpoint.image_pipeline, plan, image_HWC))


def test_timesteps_are_given_as_the_checkpoint_wants_them(checkpoint: Checkpoint) -> None:
    shapes = []
    engine = Engine(checkpoint.model)
    group = [engine.admit(make_plan(seed=seed, guidance_scale=1.0, guidance_scale_2=1.0)) for seed in range(2)]
    handle = checkpoint.model.experts[0].register_forward_pre_hook(
        lambda _, __, kwargs: shapes.append(tuple(kwargs["timestep"].shape)), with_kwargs=True
    )
    try:
        engine.step(group)
    finally:
        handle.remove()
    assert shapes == [(2, 3 * 2 * 3) if checkpoint.pipeline.config.expand_timesteps else (2,)]


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("num_inference_steps", [1, 2, 3, 17])
def test_any_number_of_steps_gives_the_reference_clip(checkpoints: dict[str, Checkpoint], sampler: str, num_inference_steps: int) -> None:
    plan = make_plan(sampler=sampler, num_inference_steps=num_inference_steps)
    checkpoint = checkpoints["two_experts"]
    assert_same_clip(generate(Engine(checkpoint.model), plan), reference(checkpoint.pipeline, plan))


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("flow_shift", [1.0, 8.0])
def test_the_plans_flow_shift_replaces_the_checkpoints(checkpoints: dict[str, Checkpoint], sampler: str, flow_shift: float) -> None:
    plan = make_plan(sampler=sampler, flow_shift=flow_shift)
    checkpoint = checkpoints["dense"]
    assert_same_clip(generate(Engine(checkpoint.model), plan), reference(checkpoint.pipeline, plan))


@pytest.mark.parametrize(
    ("prompt", "negative_prompt", "seed"),
    [
        ("一只红色的小猫在雪地里奔跑", "", 0),
        ("a cat 🐈‍⬛ on a 🌈", "ugly, blurred", 2**32 + 7),
        ("  two\n spaces &amp; a caf\u00c3\u00a9 ", "模糊，低质量", 2**63 - 1),
        ("a", "a", 1),
        ("long " * 200, "blurred " * 100, 5),
    ],
    ids=["chinese", "emoji", "untidy", "same-negative", "longer-than-512-tokens"],
)
def test_any_prompt_and_seed_gives_the_reference_clip(
    checkpoints: dict[str, Checkpoint], prompt: str, negative_prompt: str, seed: int
) -> None:
    plan = make_plan(prompt=prompt, negative_prompt=negative_prompt, seed=seed)
    checkpoint = checkpoints["dense"]
    assert_same_clip(generate(Engine(checkpoint.model), plan), reference(checkpoint.pipeline, plan))


@pytest.mark.parametrize(("width", "height", "num_frames"), [(16, 16, 1), (32, 64, 5), (80, 48, 17)])
def test_any_size_and_length_gives_the_reference_clip(checkpoints: dict[str, Checkpoint], width: int, height: int, num_frames: int) -> None:
    plan = make_plan(width=width, height=height, num_frames=num_frames, num_inference_steps=3)
    checkpoint = checkpoints["dense"]
    clip = generate(Engine(checkpoint.model), plan)
    assert clip.frames.shape == (num_frames, height, width, 3)
    assert_same_clip(clip, reference(checkpoint.pipeline, plan))


@pytest.mark.parametrize("num_frames", [6, 7, 8])
def test_a_length_between_latent_frames_is_the_next_longer_clip_cut_short(engine: Engine, num_frames: int) -> None:
    longer = generate(engine, make_plan(num_frames=9))
    shorter = generate(engine, make_plan(num_frames=num_frames))
    assert len(shorter.frames) == num_frames
    np.testing.assert_array_equal(shorter.frames, longer.frames[:num_frames])


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "a red cat"},
        {"negative_prompt": "ugly"},
        {"seed": 4},
        {"guidance_scale": 5.0},
        {"guidance_scale_2": 4.0},
        {"sampler": "dpm++"},
        {"flow_shift": 4.0},
        {"num_inference_steps": 7},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_setting_changes_the_clip_by_far_more_than_the_tolerance(two_expert_engine: Engine, change: dict[str, object]) -> None:
    assert_other_clip(generate(two_expert_engine, make_plan()), generate(two_expert_engine, make_plan(**change)))


def test_the_second_guidance_scale_means_nothing_to_a_single_transformer(engine: Engine) -> None:
    assert_equal_clip(generate(engine, make_plan()), generate(engine, make_plan(guidance_scale_2=9.0)))


def test_frames_per_second_do_not_change_the_frames(engine: Engine) -> None:
    slow, fast = generate(engine, make_plan(fps=8)), generate(engine, make_plan(fps=24))
    assert_equal_clip(slow, fast)
    assert (slow.fps, fast.fps) == (8, 24)
