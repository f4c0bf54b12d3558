"""Decoding beside denoising: the same frames, in another thread, and what happens when memory does not allow it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch

from cinelet.engine import Engine
from cinelet.engine.beside import Beside
from tests.engine.clips import advance, assert_equal_clip, generate, make_plan
from tests.engine.conftest import Checkpoint


@pytest.fixture
def engine(checkpoints: dict[str, Checkpoint]) -> Engine:
    return Engine(checkpoints["dense"].model, decode_beside=True)


def test_a_clip_decoded_beside_another_is_the_clip(engine: Engine) -> None:
    plan = make_plan()
    expected = generate(Engine(engine.model), plan)
    done, other = advance(engine, engine.admit(plan)), engine.admit(make_plan(seed=8))
    begun = engine.begin_decode(done)
    assert begun is not None
    engine.step([other])
    assert_equal_clip(engine.finish(done, begun=begun), expected)
    assert other.step == 1


def test_a_decode_beside_that_runs_out_of_memory_is_made_alone(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_plan()
    expected = generate(Engine(engine.model), plan)
    done = advance(engine, engine.admit(plan))
    decode = engine.decoder.decode
    threads: list[str] = []

    def scarce(*args: object) -> object:
        threads.append(threading.current_thread().name)
        if len(threads) == 1:
            raise torch.OutOfMemoryError("no memory beside a step")
        return decode(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(engine.decoder, "decode", scarce)
    assert_equal_clip(engine.finish(done, begun=engine.begin_decode(done)), expected)
    assert [name == threading.current_thread().name for name in threads] == [False, True]


def test_a_step_without_memory_waits_for_the_decode_beside_it_and_is_taken_again(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    done, other = advance(engine, engine.admit(make_plan())), engine.admit(make_plan(seed=8))
    may_decode = threading.Event()
    decode, velocity = engine.decoder.decode, engine.denoiser.velocity

    def patient(*args: object) -> object:
        may_decode.wait(30.0)
        return decode(*args)  # type: ignore[arg-type]

    def scarce(group: list[object]) -> torch.Tensor:
        if not may_decode.is_set():
            may_decode.set()
            raise torch.OutOfMemoryError("no memory beside a decode")
        return velocity(group)  # type: ignore[arg-type]

    monkeypatch.setattr(engine.decoder, "decode", patient)
    monkeypatch.setattr(engine.denoiser, "velocity", scarce)
    begun = engine.begin_decode(done)
    assert begun is not None
    engine.step([other])
    assert begun.done()
    assert (other.step, engine.denoiser.join_guidance, engine.max_group) == (1, True, 8), "nothing was given up for it"


@pytest.mark.parametrize("use", ["preview", "finish"])
def test_the_autoencoder_is_used_by_one_at_a_time(engine: Engine, monkeypatch: pytest.MonkeyPatch, use: str) -> None:
    plan = make_plan()
    expected = generate(Engine(engine.model), plan)
    done, other = advance(engine, engine.admit(plan)), advance(engine, engine.admit(make_plan(seed=8)))
    has_begun, may_go_on = threading.Event(), threading.Event()
    passes, wait = engine.decoder._decode_passes, engine._beside.wait

    def halting(latents: torch.Tensor, longest: int) -> Iterator[torch.Tensor]:
        for part in passes(latents, longest):
            yield part
            has_begun.set()
            may_go_on.wait(30.0)

    def wait_for_it() -> bool:
        may_go_on.set()
        return wait()

    monkeypatch.setattr(engine.decoder, "_decode_passes", halting)
    monkeypatch.setattr(engine._beside, "wait", wait_for_it)
    begun = engine.begin_decode(done)
    assert has_begun.wait(30.0)
    engine.preview(other) if use == "preview" else engine.finish(other)
    assert_equal_clip(engine.finish(done, begun=begun), expected)


def test_nothing_is_decoded_beside_where_the_device_does_one_thing_at_a_time(engine: Engine) -> None:
    alone = Engine(engine.model)
    assert alone.begin_decode(advance(alone, alone.admit(make_plan()))) is None


def test_nothing_is_decoded_beside_under_a_memory_limit(engine: Engine) -> None:
    bound = Engine(engine.model, decode_beside=True, memory_limit_bytes=64 << 30)
    assert bound.begin_decode(advance(bound, bound.admit(make_plan()))) is None


def test_a_clip_with_steps_left_is_not_decoded(engine: Engine) -> None:
    with pytest.raises(ValueError, match="step 0 of"):
        engine.begin_decode(engine.admit(make_plan()))


def test_waiting_for_nothing_takes_no_time() -> None:
    assert not Beside(torch.device("cpu"), lambda: 0.0).wait()
