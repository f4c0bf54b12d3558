"""What clips cost: the arithmetic of Wan, prices learnt from few clips, profiles that are not another device's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinelet.errors import InvalidValueError
from cinelet.scheduling import Architecture, Cost, CostModel, Pricer, Profile, Sample, Shape, read_profile, shape_of
from cinelet.video import Plan
from tests.support.world import PLAN

TI2V = Architecture(3072, 30, 14336)
A14B = Architecture(5120, 40, 13824)
POCKET = Architecture(256, 6, 1024)


@pytest.mark.parametrize(
    ("architecture", "tokens", "tera"), [(TI2V, 27_280, 517), (TI2V, 12_090, 162), (A14B, 75_600, 6_523), (A14B, 32_760, 1_678)]
)
def test_the_arithmetic_of_a_forward_is_that_of_the_published_shapes(architecture: Architecture, tokens: int, tera: float) -> None:
    assert architecture.forward_flops(tokens) / 1e12 == pytest.approx(tera, rel=0.01)


def test_guidance_is_a_second_pass_and_tokens_follow_the_stride() -> None:
    plan = replace(PLAN, width=1280, height=704, num_frames=121, guidance_scale=5.0)
    assert shape_of(plan, TI2V, (4, 16)).step_flops == 2 * TI2V.forward_flops(27_280)
    assert shape_of(replace(plan, guidance_scale=1.0), TI2V, (4, 16)).step_flops == TI2V.forward_flops(27_280)


def test_a_long_clip_costs_its_windows_and_not_the_square_of_its_length() -> None:
    plan = replace(PLAN, width=1280, height=704, num_frames=121, guidance_scale=1.0, window_frames=121)
    one, ten = (shape_of(replace(plan, num_frames=frames), TI2V, (4, 16)) for frames in (121, 1201))
    assert one.step_flops == TI2V.forward_flops(27_280)
    assert ten.step_flops == 12 * one.step_flops, "twelve windows of 31 latent frames hold 301 of them"
    assert shape_of(replace(plan, num_frames=1201, window_frames=0), TI2V, (4, 16)).step_flops > 50 * one.step_flops


def test_a_price_is_encoding_and_steps_and_decoding_and_what_is_left_of_them() -> None:
    cost = Cost(0.5, 2.0, 3.0, 10)
    assert cost.solo_s == 23.5
    assert [cost.left_s(step) for step in (0, 1, 9, 10)] == [23.5, 21.0, 5.0, 3.0]


@given(st.floats(0.01, 2.0), st.floats(1e-14, 1e-12))
def test_two_shapes_are_enough_to_predict_a_third(fixed: float, per_flop: float) -> None:
    def sample(flops: float) -> Sample:
        return Sample(Shape(flops, 10, 1000), 0.0, fixed + per_flop * flops, 0.002)

    model = CostModel([sample(1e12), sample(3e12)])
    assert model.predict(Shape(2e12, 20, 500)).step_s == pytest.approx(fixed + per_flop * 2e12, rel=1e-6)
    assert model.predict(Shape(2e12, 20, 500)).decode_s == pytest.approx(0.001)


def test_a_shapes_own_clips_count_more_than_the_formula_and_one_slow_clip_passes() -> None:
    shape = Shape(1e12, 10, 1000)
    model = CostModel([Sample(shape, 0.0, step_s, 0.1) for step_s in (1.0, 1.1, 9.0, 1.05, 1.0)])
    assert model.predict(replace(shape, num_steps=4)).step_s == 1.05


def test_before_anything_was_measured_there_is_a_price() -> None:
    assert (
        0.5
        < CostModel().predict(shape_of(replace(PLAN, width=160, height=96, num_frames=17, num_inference_steps=16), POCKET, (4, 8))).solo_s
        < 5
    )


def test_what_costs_no_time_has_a_price_of_nothing() -> None:
    pricer = Pricer(POCKET, (4, 8))
    for steps in (10, 20):
        pricer.learn(replace(PLAN, num_inference_steps=steps), {"encode": 0.0, "denoise": 0.0, "decode": 0.0})
    assert pricer.price(PLAN).solo_s == 0.0


def learnt() -> Profile:
    pricer = Pricer(POCKET, (4, 8))
    pricer.learn(PLAN, {"encode": 0.1, "denoise": 2.0, "decode": 0.3})
    pricer.learn(PLAN, {"encode": 0.1, "denoise": 2.2, "decode": 0.3})
    return Profile(device="cpu", model="pocket", revision="abc", cold_start_s=1.0, samples=pricer.samples())


def test_a_profile_survives_being_kept() -> None:
    kept = read_profile(learnt().to_json(), device="cpu", model="pocket", revision="abc")
    assert kept == learnt()
    plan: Plan = PLAN
    assert Pricer(POCKET, (4, 8), kept.samples).price(plan).step_s == pytest.approx(0.21)


@pytest.mark.parametrize(("name", "other"), [("device", "cuda"), ("model", "wan"), ("revision", "abd")])
def test_anothers_profile_is_refused_by_name(name: str, other: str) -> None:
    with pytest.raises(InvalidValueError, match=f"profile.{name}"):
        read_profile(learnt().to_json(), **{name: other})


@pytest.mark.parametrize(
    "damage",
    [
        {"format": 2}, {"device": None}, {"samples": 3}, {"samples": [1]}, {"cold_start_s": "soon"}, {"cold_start_s": -1.0},
        {"samples": [{"shape": {"step_flops": 0, "num_steps": 1, "num_pixels": 1}, "encode_s": 0, "step_s": 0, "decode_s": 0}]},
        {"samples": [{"shape": {"step_flops": 1, "num_steps": 1, "num_pixels": 1}, "encode_s": 0, "step_s": 1e99, "decode_s": 0}]},
    ],
)  # fmt: skip
def test_what_is_no_profile_is_refused(damage: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError, match="profile"):
        read_profile({**learnt().to_json(), **damage})


def test_another_decoder_or_cached_steps_have_prices_of_their_own() -> None:
    plain, quick = Shape(1e12, 10, 1000), Shape(1e12, 10, 1000, "tiny mild")
    model = CostModel([Sample(plain, 0.0, 1.0, 3.0)] * 5 + [Sample(quick, 0.0, 0.5, 0.2)] * 5)
    assert (model.predict(plain).step_s, model.predict(plain).decode_s) == (1.0, 3.0)
    assert (model.predict(quick).step_s, model.predict(quick).decode_s) == (0.5, 0.2)
    assert model.predict(Shape(2e12, 10, 2000)).decode_s == pytest.approx(6.0)
