"""Request → plan on the catalogue's cards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinelet.errors import InvalidValueError, NotFoundError
from cinelet.models import Catalogue, ModelCard, plan
from cinelet.video import VideoRequest

CATALOGUE = Catalogue(Path("/nowhere"))
POCKET = CATALOGUE.get("pocket")
A14B = CATALOGUE.get("wan2.2-t2v-a14b")


def test_a_bare_sentence_gets_the_models_defaults() -> None:
    made = plan(VideoRequest(prompt="a red car"), POCKET, seed=5)
    assert (made.width, made.height, made.num_frames, made.fps) == (160, 96, 17, 8)
    assert (made.num_inference_steps, made.sampler, made.seed) == (16, "unipc", 5)


@pytest.mark.parametrize(("preset", "steps"), [("draft", 8), ("standard", 16), ("final", 25)])
def test_a_preset_is_a_number_of_steps_which_an_explicit_one_overrules(preset, steps: int) -> None:
    assert plan(VideoRequest(prompt="x", preset=preset), POCKET).num_inference_steps == steps
    assert plan(VideoRequest(prompt="x", preset=preset, num_inference_steps=3), POCKET).num_inference_steps == 3


def test_zero_and_empty_are_values_not_missing() -> None:
    made = plan(VideoRequest(prompt="x", guidance_scale=0.0, seed=0, negative_prompt=""), A14B)
    assert (made.guidance_scale, made.seed, made.negative_prompt) == (0.0, 0, "")


def test_two_experts_have_their_own_scales_unless_one_is_asked_for() -> None:
    assert (plan(VideoRequest(prompt="x"), A14B).guidance_scale, plan(VideoRequest(prompt="x"), A14B).guidance_scale_2) == (4.0, 3.0)
    assert plan(VideoRequest(prompt="x", guidance_scale=6.0), A14B).guidance_scale_2 == 6.0
    assert plan(VideoRequest(prompt="x", guidance_scale=6.0, guidance_scale_2=2.0), A14B).guidance_scale_2 == 2.0


@pytest.mark.parametrize(("num_frames", "window_frames"), [(None, 0), (1, 0), (17, 0), (18, 17), (161, 17)])
def test_only_a_clip_longer_than_the_model_was_trained_on_has_windows(num_frames: int | None, window_frames: int) -> None:
    assert plan(VideoRequest(prompt="x", num_frames=num_frames), POCKET).window_frames == window_frames


def test_a_model_without_windows_sees_every_length_at_once() -> None:
    assert plan(VideoRequest(prompt="x", num_frames=161), replace(POCKET, window_frames=0)).window_frames == 0


@pytest.mark.parametrize("card", CATALOGUE.list(), ids=lambda card: card.name)
def test_the_longest_clip_of_each_model_is_ten_of_its_windows(card: ModelCard) -> None:
    assert card.max_frames == 10 * (card.window_frames - 1) + 1
    with pytest.raises(InvalidValueError, match=f"num_frames: {card.max_frames + 1}.*{card.name} makes 1 to {card.max_frames} frames"):
        plan(VideoRequest(prompt="x", num_frames=card.max_frames + 1), card)


def test_a_drawn_seed_is_recorded_and_differs() -> None:
    seeds = {plan(VideoRequest(prompt="x"), POCKET).seed for _ in range(20)}
    assert len(seeds) > 15
    assert all(0 <= seed < 2**31 for seed in seeds)


@given(width=st.integers(1, 4000), height=st.integers(1, 4000), num_frames=st.integers(1, 4000))
def test_every_plan_keeps_the_models_limits(width: int, height: int, num_frames: int) -> None:
    try:
        made = plan(VideoRequest(prompt="x", width=width, height=height, num_frames=num_frames), POCKET)
    except InvalidValueError as error:
        assert error.field in ("width", "height", "size", "num_frames")
        return
    assert made.width % 16 == made.height % 16 == 0
    assert made.width * made.height <= POCKET.max_pixels
    assert made.num_frames == num_frames <= POCKET.max_frames


@given(prompt=st.text(), steps=st.integers(), fps=st.integers(), scale=st.floats())
def test_any_request_is_a_request_or_one_line_that_names_the_field(prompt: str, steps: int, fps: int, scale: float) -> None:
    try:
        VideoRequest(prompt=prompt, num_inference_steps=steps, fps=fps, guidance_scale=scale)
    except InvalidValueError as error:
        assert error.message.startswith(f"{error.field}: ")
        assert "\n" not in error.message
        assert len(error.message) < 300


@pytest.mark.parametrize("value", [True, 3.0, "3"])
def test_numbers_of_the_wrong_kind_are_refused(value) -> None:
    with pytest.raises(InvalidValueError, match="num_inference_steps"):
        VideoRequest(prompt="x", num_inference_steps=value)


def test_an_unknown_model_names_the_nearest() -> None:
    with pytest.raises(NotFoundError, match=r"did you mean wan2\.2-ti2v-5b"):
        CATALOGUE.get("wan2.2-ti2v-5")
