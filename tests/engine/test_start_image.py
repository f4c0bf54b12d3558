"""Clips that begin with an image: where it stands, that it is kept exactly, whom it may share a forward with, and who refuses it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cinelet.engine import Engine
from cinelet.engine.start_image import condition
from cinelet.errors import InvalidValueError
from cinelet.video import SAMPLERS
from tests.engine.clips import (
    advance,
    assert_equal_clip,
    assert_other_clip,
    assert_same_clip,
    generate,
    make_image,
    make_plan,
    recorded_batches,
)
from tests.engine.conftest import Checkpoint

PLAN = make_plan(image="a digest", num_inference_steps=4)
IMAGE = make_image(PLAN)


def test_the_finished_latents_begin_with_the_images_own(checkpoints: dict[str, Checkpoint]) -> None:
    model = checkpoints["expanded"].model
    clip = generate(Engine(model), PLAN, image_HWC=IMAGE)
    np.testing.assert_array_equal(clip.latents[:, :1], condition(model, IMAGE, 3).numpy())


def test_a_preview_shows_the_image_from_the_first_step_on(checkpoints: dict[str, Checkpoint]) -> None:
    engine = Engine(checkpoints["expanded"].model)
    trajectory = engine.admit(PLAN, image_HWC=IMAGE)
    before = engine.preview(trajectory)
    after = engine.preview(advance(engine, trajectory))
    np.testing.assert_array_equal(before[0], after[0])
    assert (before[1] != after[1]).any()


def test_another_image_gives_another_clip_after_it_too(image_checkpoint: Checkpoint) -> None:
    engine = Engine(image_checkpoint.model)
    one, other = (generate(engine, PLAN, image_HWC=make_image(PLAN, seed)) for seed in range(2))
    assert_other_clip(one, other)
    assert np.abs(one.latents[:, 1:] - other.latents[:, 1:]).max() > 0.1


def test_pixels_are_read_and_never_kept(image_checkpoint: Checkpoint) -> None:
    engine = Engine(image_checkpoint.model)
    pixels = IMAGE.copy()
    trajectory = engine.admit(PLAN, image_HWC=pixels)
    pixels[:] = 0
    assert_equal_clip(engine.finish(advance(engine, trajectory)), generate(engine, PLAN, image_HWC=IMAGE))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_clip_with_an_image_saved_at_any_step_continues_exactly(image_checkpoint: Checkpoint, tmp_path: Path, sampler: str) -> None:
    engine = Engine(image_checkpoint.model)
    plan = make_plan(image="a digest", num_inference_steps=4, sampler=sampler)
    trajectory = engine.admit(plan, image_HWC=IMAGE)
    for step in range(5):
        trajectory.save(tmp_path / f"{step}")
        if step < 4:
            engine.step([trajectory])
    unbroken = engine.finish(trajectory)
    for step in range(5):
        resumed = engine.resume(tmp_path / f"{step}")
        assert resumed.condition_CTHW is not None
        assert trajectory.condition_CTHW is not None
        assert torch.equal(resumed.condition_CTHW, trajectory.condition_CTHW)
        assert_equal_clip(engine.finish(advance(engine, resumed)), unbroken)


def test_clips_with_and_without_an_image_share_each_forward(checkpoints: dict[str, Checkpoint]) -> None:
    model = checkpoints["expanded"].model
    engine = Engine(model)
    plain, other = make_plan(num_inference_steps=4, seed=8), make_plan(num_inference_steps=4, seed=9, image="another")
    group = [engine.admit(PLAN, image_HWC=IMAGE), engine.admit(plain), engine.admit(other, image_HWC=make_image(other, 5))]
    with recorded_batches(model.experts[0]) as batches:
        while groups := engine.groups(group):
            for members in groups:
                engine.step(members)
    assert batches == [6] * 4
    alone = Engine(model)
    assert_same_clip(engine.finish(group[0]), generate(alone, PLAN, image_HWC=IMAGE))
    assert_same_clip(engine.finish(group[1]), generate(alone, plain))
    assert_same_clip(engine.finish(group[2]), generate(alone, other, image_HWC=make_image(other, 5)))


def test_a_length_between_latent_frames_is_the_next_longer_clip_cut_short(image_checkpoint: Checkpoint) -> None:
    engine = Engine(image_checkpoint.model)
    longer = generate(engine, PLAN, image_HWC=IMAGE)
    shorter = generate(engine, make_plan(image="a digest", num_inference_steps=4, num_frames=7), image_HWC=IMAGE)
    np.testing.assert_array_equal(shorter.frames, longer.frames[:7])


def test_a_branch_keeps_the_image_it_began_with(checkpoints: dict[str, Checkpoint]) -> None:
    engine = Engine(checkpoints["expanded"].model)
    trajectory = advance(engine, engine.admit(PLAN, image_HWC=IMAGE), 2)
    with pytest.raises(InvalidValueError, match="image"):
        engine.branch(trajectory, make_plan(num_inference_steps=4, image="another"))
    branched = engine.branch(trajectory, make_plan(num_inference_steps=4, image="a digest", prompt="a blue boat"))
    assert branched.condition_CTHW is not None


REFUSED: dict[str, tuple[str, dict[str, Any], Any, str]] = {
    "a model that makes clips from text alone": ("dense", {"image": "a"}, IMAGE, "takes no start image"),
    "the same of two experts": ("two_experts", {"image": "a"}, IMAGE, "takes no start image"),
    "a model that wants an image, without one": ("channels", {}, None, "from a start image only"),
    "a plan's image without its pixels": ("expanded", {"image": "a"}, None, "its pixels come with the plan"),
    "pixels that no plan names": ("expanded", {}, IMAGE, "its pixels come with the plan"),
    "another size": ("expanded", {"image": "a"}, IMAGE[:, 1:], r"\[32, 48, 3\]"),
    "numbers of another kind": ("expanded", {"image": "a"}, IMAGE / 255, "float64"),
    "an alpha channel": ("expanded", {"image": "a"}, np.zeros((32, 48, 4), np.uint8), r"uint8 \[32, 48, 4\]"),
    "grey": ("expanded", {"image": "a"}, IMAGE[:, :, 0], r"uint8 \[32, 48\]"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_image_that_does_not_fit_is_refused_before_any_work(checkpoints: dict[str, Checkpoint], name: str) -> None:
    layout, change, image_HWC, why = REFUSED[name]
    with pytest.raises(InvalidValueError, match=why) as caught:
        Engine(checkpoints[layout].model).admit(make_plan(**change), image_HWC=image_HWC)
    assert caught.value.field == "image"
