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
from cinelet.engine.footprint import walk
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


SIZE = {"width": 128, "height": 96, "num_frames": 13}


@pytest.fixture(scope="module")
def seer(checkpoints: dict[str, Checkpoint]) -> Engine:
    """An engine that is asked about memory by many tests: it remembers what it foresaw."""
    return Engine(checkpoints["dense"].model)


@pytest.fixture
def limited(seer: Engine) -> Iterator[Engine]:
    """The same, for tests that set its limit."""
    yield seer
    seer.memory_limit_bytes = None


@pytest.mark.parametrize(("rung", "spare_bytes", "expected"), [("full", 0, "full"), ("full", -1, "frames"), ("frames", -1, "tiles")])
def test_a_memory_limit_chooses_the_fastest_decode_within_it(limited: Engine, rung: Rung, spare_bytes: int, expected: Rung) -> None:
    foreseen = limited.memory(make_plan(**SIZE))
    assert foreseen.peak("full") > foreseen.peak("frames") > foreseen.peak("tiles")
    limited.memory_limit_bytes = foreseen.peak(rung) + spare_bytes
    assert generate(limited, make_plan(**SIZE, num_inference_steps=1)).decode == expected


def test_a_plan_over_the_memory_limit_is_refused_before_any_work(limited: Engine) -> None:
    plan = make_plan(**SIZE, prompt="never read")
    limited.memory_limit_bytes = need = limited.memory(plan).peak("tiles") - 1
    with recorded_batches(limited.model.experts[0]) as batches, pytest.raises(OutOfMemoryError) as caught:
        limited.admit(plan)
    assert batches == []
    assert not limited.prompts.knows("never read")
    for part in ("128x96", "13 frames", f"need {(need + 1) / 2**30:.2f} GiB", f"limit is {need / 2**30:.2f} GiB", "smaller or shorter"):
        assert part in caught.value.message
    limited.admit(make_plan(num_frames=5))


@pytest.mark.parametrize("num_frames", [1, 9, 161])
def test_each_rung_of_the_ladder_needs_no_more_memory_than_the_one_before(seer: Engine, num_frames: int) -> None:
    predicted = seer.memory(make_plan(width=832, height=480, num_frames=num_frames))
    assert predicted.decode["full"] >= predicted.decode["frames"] >= predicted.decode["tiles"]


def test_the_prediction_grows_with_all_that_costs_memory(seer: Engine) -> None:
    large = {"width": 416, "height": 240, "num_frames": 17}
    base = seer.memory(make_plan(**large))
    for change in ({"width": 832}, {"num_frames": 33}):
        larger = seer.memory(make_plan(**{**large, **change}))
        assert larger.denoise > base.denoise
        assert larger.decode["tiles"] > base.decode["tiles"]  # on a CPU larger convolutions may borrow less: torch takes another back end
        assert larger.resident == base.resident
    pair = seer.memory(make_plan(**large), group_size=2)
    assert seer.memory(make_plan(**large), group_size=4).denoise > pair.denoise > base.denoise
    unguided = seer.memory(make_plan(**large, guidance_scale=1.0))
    assert base.denoise > unguided.denoise
    seer.denoiser.join_guidance = False
    assert seer.memory(make_plan(**large)).denoise == unguided.denoise
    seer.denoiser.join_guidance = True


def test_the_weights_of_the_prediction_are_the_weights_as_loaded(checkpoint: Checkpoint) -> None:
    pipeline = checkpoint.pipeline
    parts = [pipeline.text_encoder, pipeline.vae, pipeline.transformer, *([pipeline.transformer_2] if pipeline.transformer_2 else [])]
    assert checkpoint.model.weights_bytes == sum(4 * p.numel() for part in parts for p in part.parameters())


def test_half_the_precision_takes_less_to_decode(seer: Engine) -> None:
    full, half = (seer.memory(make_plan(**SIZE, vae=tier)) for tier in ("full", "half"))
    assert half.decode["frames"] < full.decode["frames"]


def test_a_long_clip_needs_no_more_than_its_window_and_its_frames(seer: Engine) -> None:
    short, long = (seer.memory(make_plan(width=64, height=64, num_frames=n, window_frames=17)) for n in (65, 321))
    assert long.denoise == short.denoise
    assert long.decode["full"] - short.decode["full"] <= 1.05 * (321 - 65) * 64 * 64 * 3


def test_a_walk_counts_what_lives_at_once_and_what_a_convolution_borrows() -> None:
    convolution = torch.nn.Conv3d(64, 32, 3, device="meta")
    x = torch.empty(1, 64, 16, 34, 34, device="meta")
    result_bytes = 32 * 14 * 32 * 32 * 4

    def work() -> Iterator[torch.Tensor]:
        first = convolution(x)
        yield first + 1

    assert walk(work, on_cpu=False) == 2 * result_bytes
    assert walk(work, on_cpu=True) == max(2 * result_bytes, result_bytes + x.numel() * 4), "oneDNN copies the input"


def test_the_frugal_mode_leaves_frames_alone(engine: Engine) -> None:
    trajectory = advance(engine, engine.admit(make_plan()))
    usual = engine.finish(trajectory)
    with memory_module.frugal(torch.device("cpu")):
        assert_equal_clip(engine.finish(trajectory), usual)


def test_a_clip_reports_the_memory_it_took(engine: Engine) -> None:
    assert generate(engine, make_plan()).peak_memory_bytes > engine.model.weights_bytes


def test_what_a_lack_of_memory_looks_like() -> None:
    for make_error in ERRORS.values():
        assert memory_module.is_out_of_memory(make_error())
    for error in (RuntimeError("memory"), ValueError("not enough memory"), OSError(12, "Cannot allocate memory")):
        assert not memory_module.is_out_of_memory(error)
