"""A real engine process, killed at any moment of a run."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cinelet.engine import Engine, load_model
from cinelet.engine.process import EngineProcess
from cinelet.engine.spec import EngineSpec
from cinelet.errors import EngineDiedError, InternalError, ModelFilesError
from cinelet.video import Plan, Video
from tests.support.checkpoints import make_checkpoint

PLAN = Plan(
    prompt="a red car",
    negative_prompt="",
    model="tiny",
    width=32,
    height=32,
    num_frames=5,
    fps=8,
    num_inference_steps=4,
    guidance_scale=4.0,
    guidance_scale_2=4.0,
    sampler="unipc",
    flow_shift=3.0,
    seed=7,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[EngineProcess]:
    process = EngineProcess(EngineSpec(folder=folder, num_threads=1))
    process.start()
    yield process
    process.stop()


def run(engine: EngineProcess, name: str = "clip") -> Video | None:
    engine.start()
    engine.admit(name, PLAN)
    while engine.step([name])[name] < PLAN.num_inference_steps:
        pass
    return engine.finish(name, PLAN)


def run_until_it_dies(engine: EngineProcess) -> None:
    while True:
        engine.admit("clip", PLAN)
        while engine.step(["clip"])["clip"] < PLAN.num_inference_steps:
            pass
        engine.finish("clip", PLAN)


def shared_memory_files() -> set[Path]:
    return set(Path("/dev/shm").glob("psm_*"))  # noqa: S108 - where Linux keeps shared memory


def test_a_child_makes_the_same_frames_as_an_engine_here(engine: EngineProcess, folder: Path) -> None:
    here = Engine(load_model(folder, torch.device("cpu")))
    trajectory = here.admit(PLAN)
    while not trajectory.is_done:
        here.step([trajectory])
    difference = np.abs(run(engine).frames.astype(int) - here.finish(trajectory).frames.astype(int))
    assert difference.max() <= 1


def test_a_child_killed_between_commands_is_an_error_and_the_next_call_works(engine: EngineProcess) -> None:
    expected = run(engine).frames
    engine.admit("clip", PLAN)
    engine.step(["clip"])
    assert engine.pid
    os.kill(engine.pid, signal.SIGKILL)
    with pytest.raises(EngineDiedError, match="SIGKILL"):
        engine.step(["clip"])
    assert np.array_equal(run(engine).frames, expected)


@pytest.mark.parametrize("seed", range(6))
def test_a_child_killed_at_a_random_moment_is_an_error_and_leaks_nothing(engine: EngineProcess, seed: int) -> None:
    rng = random.Random(seed)
    before = shared_memory_files()
    engine.start()
    pid = engine.pid
    assert pid
    killer = threading.Timer(rng.uniform(0.0, 0.08), os.kill, (pid, signal.SIGKILL))
    killer.start()
    with pytest.raises(EngineDiedError, match="ended"):
        run_until_it_dies(engine)
    killer.join()
    assert shared_memory_files() <= before
    assert run(engine).frames.shape == (5, 32, 32, 3)


def test_a_saved_trajectory_continues_in_another_child(engine: EngineProcess, folder: Path, tmp_path: Path) -> None:
    expected = run(engine).frames
    engine.admit("clip", PLAN)
    engine.step(["clip"])
    engine.step(["clip"])
    engine.save("clip", tmp_path / "clip.safetensors")
    engine.drop("clip")
    other = EngineProcess(EngineSpec(folder=folder, num_threads=1))
    other.start()
    try:
        assert other.resume("clip", tmp_path / "clip.safetensors") == 2
        other.step(["clip"])
        other.step(["clip"])
        assert np.array_equal(other.finish("clip", PLAN).frames, expected)
    finally:
        other.stop()


def test_an_engine_that_does_not_answer_in_time_is_ended(engine: EngineProcess) -> None:
    engine.start()
    engine.admit("clip", PLAN)
    assert engine.pid
    os.kill(engine.pid, signal.SIGSTOP)
    with pytest.raises(EngineDiedError, match=r"no answer within 0\.2 s"):
        engine.step(["clip"], timeout_s=0.2)
    assert not engine.is_alive


def test_finishing_hands_out_frames_as_they_come_and_an_unknown_name_is_our_error(engine: EngineProcess) -> None:
    engine.start()
    engine.admit("clip", PLAN)
    while engine.step(["clip"])["clip"] < PLAN.num_inference_steps:
        pass
    parts: list[NDArray[np.uint8]] = []
    video = engine.finish("clip", PLAN, lambda _, part: parts.append(part))
    assert video is not None
    assert np.array_equal(np.concatenate(parts), video.frames)
    with pytest.raises(InternalError, match="step failed"):
        engine.step(["nobody"])
    assert engine.is_alive


@pytest.fixture(scope="module")
def beside(folder: Path) -> Iterator[EngineProcess]:
    process = EngineProcess(EngineSpec(folder=folder, num_threads=1, options={"decode_beside": True}))
    process.start()
    yield process
    process.stop()


def test_a_clip_is_decoded_beside_the_steps_of_another_to_the_same_frames(beside: EngineProcess, engine: EngineProcess) -> None:
    expected = run(engine)
    beside.start()
    for name in ("done", "stepped"):
        beside.admit(name, PLAN)
    while beside.step(["done"])["done"] < PLAN.num_inference_steps:
        pass
    parts: list[NDArray[np.uint8]] = []
    first = beside.finish("done", PLAN, lambda _, part: parts.append(part), may_wait=False)
    assert beside.step(["stepped"]) == {"stepped": 1}
    video = beside.finish("done", PLAN) if first is None else first
    assert first is None, "it was waited for"
    assert video is not None
    assert expected is not None
    assert np.array_equal(video.frames, expected.frames)
    assert np.array_equal(np.concatenate(parts), expected.frames)
    beside.drop("stepped")


def test_a_clip_dropped_while_it_is_decoded_is_nobodys(beside: EngineProcess) -> None:
    beside.start()
    beside.admit("dropped", PLAN)
    while beside.step(["dropped"])["dropped"] < PLAN.num_inference_steps:
        pass
    assert beside.finish("dropped", PLAN, may_wait=False) is None
    beside.drop("dropped")
    assert run(beside) is not None


def test_a_child_killed_while_it_decodes_beside_is_an_error(folder: Path) -> None:
    process = EngineProcess(EngineSpec(folder=folder, num_threads=1, options={"decode_beside": True}))
    process.start()
    process.admit("clip", PLAN)
    while process.step(["clip"])["clip"] < PLAN.num_inference_steps:
        pass
    assert process.finish("clip", PLAN, may_wait=False) is None
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(EngineDiedError):
        process.finish("clip", PLAN)
    process.stop()


def test_a_checkpoint_that_does_not_load_is_the_loaders_error(tmp_path: Path) -> None:
    process = EngineProcess(EngineSpec(folder=tmp_path))
    with pytest.raises(ModelFilesError, match=r"model_index\.json"):
        process.start()
    process.stop()
