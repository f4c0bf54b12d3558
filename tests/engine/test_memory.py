"""What the engine does when memory runs out, and how it foresees that. Memory itself is never used up here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from cinelet.engine import Engine
from cinelet.engine import memory as memory_module
from cinelet.engine.decoder import LADDER, Rung
from cinelet.errors import OutOfMemoryError, UnavailableError
from tests.engine.clips import advance, assert_equal_clip, assert_same_clip, distance, generate, make_plan, recorded_batches
from tests.engine.conftest import Checkpoint

ERRORS = {
    "device": lambda: torch.OutOfMemoryError("CUDA out of memory"),
    "machine": lambda: RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."),
    "python": MemoryError,
}


@contextmanager
def too_small(
    module: torch.nn.Module, fits: Callable[[torch.Tensor], bool], error: Callable[[], Exception] = ERRORS["device"]
) -> Iterator[None]:
    """Lets `module` run out of memory on each input that does not fit."""

    def check(_: Any, args: Any, kwargs: Any) -> None:
        if not fits(kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]):
            raise error()

    handle = module.register_forward_pre_hook(check, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize(("max_rows", "num_clips"), [(4, 5), (2, 5), (1, 3), (6, 7)])
def test_a_group_that_does_not_fit_is_halved_until_it_does(
    engine: Engine, error: Callable[[], Exception], max_rows: int, num_clips: int
) -> None:
    plans = [make_plan(seed=seed, guidance_scale=2.0 + seed, num_inference_steps=3) for seed in range(num_clips)]
    alone = [generate(engine, plan) for plan in plans]
    group = [engine.admit(plan) for plan in plans]
    expert = engine.model.experts[0]
    with too_small(expert, lambda x: x.shape[0] <= max_rows, error):
        engine.step(group)
        assert max(1, max_rows // 4) <= engine.max_group <= max(1, max_rows // 2)
        with recorded_batches(expert) as batches:
            for _ in range(2):
                for part in engine.groups(group):
                    engine.step(part)
    assert max(batches) <= max_rows, "the engine tried again what had not fitted"
    for trajectory, video in zip(group, alone, strict=True):
        assert_same_clip(engine.finish(trajectory), video)


def test_running_out_of_memory_never_makes_later_groups_larger(checkpoints: dict[str, Checkpoint]) -> None:
    engine = Engine(checkpoints["dense"].model, max_group=2)
    with too_small(engine.model.experts[0], lambda x: x.shape[0] <= 8):
        engine.step([engine.admit(make_plan(seed=seed)) for seed in range(8)])
    assert engine.max_group <= 2


def test_guidance_is_taken_apart_when_a_single_clip_does_not_fit(engine: Engine) -> None:
    plan = make_plan()
    alone = generate(engine, plan)
    with too_small(engine.model.experts[0], lambda x: x.shape[0] <= 1):
        assert_same_clip(generate(engine, plan), alone)


@pytest.mark.parametrize("guidance_scale", [4.0, 1.0])
def test_a_clip_that_never_fits_is_out_of_memory_and_has_not_moved(engine: Engine, guidance_scale: float) -> None:
    plan = make_plan(guidance_scale=guidance_scale)
    trajectory = advance(engine, engine.admit(plan), 2)
    before = trajectory.latents_CTHW.clone()
    with too_small(engine.model.experts[0], lambda _: False), pytest.raises(OutOfMemoryError) as caught:
        engine.step([trajectory])
    assert isinstance(caught.value, UnavailableError)
    assert isinstance(caught.value.__cause__, torch.OutOfMemoryError)
    assert "CUDA" in caught.value.detail
    assert "CUDA" not in caught.value.message
    assert trajectory.step == 2
    assert torch.equal(trajectory.latents_CTHW, before)
    assert_same_clip(engine.finish(advance(engine, trajectory)), generate(engine, plan))


@pytest.mark.parametrize("message", ["shape mismatch", "CUDA error: an illegal memory access was encountered"])
def test_another_error_is_not_taken_for_a_lack_of_memory(engine: Engine, message: str) -> None:
    group = [engine.admit(make_plan(seed=seed)) for seed in range(2)]
    with too_small(engine.model.experts[0], lambda _: False, lambda: RuntimeError(message)), pytest.raises(RuntimeError, match=message):
        engine.step(group)
    assert engine.max_group == 8
    with too_small(engine.model.vae.decoder, lambda _: False, lambda: RuntimeError(message)), pytest.raises(RuntimeError, match=message):
        engine.finish(advance(engine, group[0]))


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize(
    ("fits", "rung"),
    [
        (lambda x: True, "full"),
        (lambda x: x.shape[2] == 1, "frames"),
        (lambda x: x.shape[2] == 1 and x.shape[4] < 6, "tiles"),
    ],
    ids=LADDER,
)
def test_a_decode_that_does_not_fit_steps_down_and_says_so(
    engine: Engine, error: Callable[[], Exception], fits: Callable[[torch.Tensor], bool], rung: Rung
) -> None:
    trajectory = advance(engine, engine.admit(make_plan()))
    expected = engine.decoder.decode(trajectory.latents_CTHW, 9, rung)
    with too_small(engine.model.vae.decoder, fits, error):
        video = engine.finish(trajectory)
    assert video.decode == rung
    assert distance(video.frames, expected) == 0


def test_a_decode_that_fits_nowhere_is_out_of_memory_and_leaves_the_latents(engine: Engine) -> None:
    plan = make_plan()
    trajectory = advance(engine, engine.admit(plan))
    with too_small(engine.model.vae.decoder, lambda _: False), pytest.raises(OutOfMemoryError, match="tiles"):
        engine.finish(trajectory)
    assert_equal_clip(engine.finish(trajectory), generate(engine, plan))


def test_a_decode_interrupted_in_the_middle_leaves_nothing_behind(engine: Engine) -> None:
    trajectory = advance(engine, engine.admit(make_plan()))
    whole = engine.finish(trajectory)
    for rung in LADDER:
        calls: list[int] = []
        with (
            too_small(engine.model.vae.decoder, lambda _, calls=calls: calls.append(1) or len(calls) < 2),
            pytest.raises(torch.OutOfMemoryError),
        ):
            engine.decoder.decode(trajectory.latents_CTHW, 9, rung)
        assert_equal_clip(engine.finish(trajectory), whole)


def limits(engine: Engine, **changes: object) -> dict[str, int]:
    """The predicted peak of each rung."""
    predicted = engine.memory(make_plan(**changes))
    return {rung: predicted.peak(rung) for rung in LADDER}


SIZE = {"width": 128, "height": 96, "num_frames": 13}


@pytest.mark.parametrize(("rung", "spare_bytes", "expected"), [("full", 0, "full"), ("full", -1, "frames"), ("frames", -1, "tiles")])
def test_a_memory_limit_chooses_the_fastest_decode_within_it(
    checkpoints: dict[str, Checkpoint], rung: Rung, spare_bytes: int, expected: Rung
) -> None:
    model = checkpoints["dense"].model
    peaks = limits(Engine(model), **SIZE)
    assert peaks["full"] > peaks["frames"] > peaks["tiles"]
    engine = Engine(model, memory_limit_bytes=peaks[rung] + spare_bytes)
    plan = make_plan(**SIZE, num_inference_steps=1)
    assert generate(engine, plan).decode == expected


def test_a_plan_over_the_memory_limit_is_refused_before_any_work(checkpoints: dict[str, Checkpoint]) -> None:
    model = checkpoints["dense"].model
    limit = min(limits(Engine(model), **SIZE).values()) - 1
    engine = Engine(model, memory_limit_bytes=limit)
    with recorded_batches(model.experts[0]) as batches, pytest.raises(OutOfMemoryError) as caught:
        engine.admit(make_plan(**SIZE))
    assert batches == []
    assert engine.prompts.num_misses == 0
    for part in ("128x96", "13 frames", "GiB", "smaller or shorter"):
        assert part in caught.value.message
    engine.admit(make_plan(num_frames=5))


def test_the_refusal_names_the_need_and_the_limit(checkpoints: dict[str, Checkpoint]) -> None:
    engine = Engine(checkpoints["dense"].model, memory_limit_bytes=1 << 30)
    plan = make_plan(width=1280, height=704, num_frames=81)
    predicted = engine.memory(plan)
    need = min(predicted.peak(rung) for rung in LADDER)
    with pytest.raises(OutOfMemoryError) as caught:
        engine.admit(plan)
    assert f"need {need / 2**30:.2f} GiB" in caught.value.message
    assert "limit is 1.00 GiB" in caught.value.message


@pytest.mark.parametrize("num_frames", [1, 5, 9, 25, 29, 81, 161])
def test_each_rung_of_the_ladder_needs_no_more_memory_than_the_one_before(engine: Engine, num_frames: int) -> None:
    predicted = engine.memory(make_plan(width=832, height=480, num_frames=num_frames))
    assert predicted.decode["full"] >= predicted.decode["frames"] >= predicted.decode["tiles"]


def test_the_prediction_grows_with_all_that_costs_memory(engine: Engine) -> None:
    base = engine.memory(make_plan())
    for change in ({"width": 96}, {"height": 64}, {"num_frames": 17}):
        larger = engine.memory(make_plan(**change))
        assert larger.denoise > base.denoise
        assert larger.decode["full"] > base.decode["full"]
        assert larger.resident == base.resident
    assert engine.memory(make_plan(), group_size=4).denoise == 4 * base.denoise
    assert base.denoise == 2 * engine.memory(make_plan(guidance_scale=1.0)).denoise
    engine.denoiser.join_guidance = False
    assert base.denoise == 2 * engine.memory(make_plan()).denoise


def test_the_weights_of_the_prediction_are_the_weights_as_loaded(checkpoint: Checkpoint) -> None:
    pipeline = checkpoint.pipeline
    parts = [pipeline.text_encoder, pipeline.vae, pipeline.transformer, *([pipeline.transformer_2] if pipeline.transformer_2 else [])]
    assert checkpoint.model.weights_bytes == sum(4 * p.numel() for part in parts for p in part.parameters())


def test_a_clip_reports_the_memory_it_took(engine: Engine) -> None:
    assert generate(engine, make_plan()).peak_memory_bytes > engine.model.weights_bytes


def test_what_a_lack_of_memory_looks_like() -> None:
    for make_error in ERRORS.values():
        assert memory_module.is_out_of_memory(make_error())
    for error in (RuntimeError("memory"), ValueError("not enough memory"), OSError(12, "Cannot allocate memory")):
        assert not memory_module.is_out_of_memory(error)
