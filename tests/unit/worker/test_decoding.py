"""What may happen while a clip is decoded: its lease is lost, the store is away. The worker and its engine go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from cinelet.errors import EngineDiedError, UnavailableError
from cinelet.jobs import Beat
from cinelet.scheduling import Architecture, Pricer
from cinelet.storage import open_blobs
from cinelet.telemetry import Metrics
from cinelet.video import OnFrames, Plan, Video
from cinelet.worker import FakeEngine, Pace, Worker
from tests.support.world import World, open_world

PATIENCE_S = 30.0


class DecodingEngine(FakeEngine):
    """Calls `during` in the middle of its first decode. Like the real one it cannot take another command then."""

    def __init__(self, during: Callable[[], None]) -> None:
        super().__init__()
        self._during = [during]
        self.is_decoding = False

    def drop(self, name: str) -> None:
        assert not self.is_decoding, "a command in the middle of another"
        super().drop(name)

    def finish(self, name: str, plan: Plan, on_frames: OnFrames | None = None, *, may_wait: bool = True) -> Video:
        video = super().finish(name, plan)
        self.is_decoding = True
        if self._during:
            self._during.pop()()
        if on_frames is not None:
            on_frames(0, video.frames)
        self.is_decoding = False
        return video


class PiecesEngine(FakeEngine):
    """Hands out the frames in two pieces, and calls `after` each."""

    def __init__(self, after: Callable[[], None]) -> None:
        super().__init__()
        self._after = after

    def finish(self, name: str, plan: Plan, on_frames: OnFrames | None = None, *, may_wait: bool = True) -> Video:
        video = super().finish(name, plan)
        for start, end in [(0, 5), (5, plan.num_frames)]:
            if on_frames is not None:
                on_frames(start, video.frames[start:end])
            self._after()
        return video


class BesideEngine(FakeEngine):
    """Decodes beside steps: a clip is ready after a step of another, or when it is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.num_beside = 0
        self._decoding: dict[str, bool] = {}

    def step(self, names: Sequence[str], timeout_s: float | None = None) -> dict[str, int]:
        self._decoding = dict.fromkeys(self._decoding, True)
        return super().step(names, timeout_s)

    def finish(self, name: str, plan: Plan, on_frames: OnFrames | None = None, *, may_wait: bool = True) -> Video | None:
        is_ready = self._decoding.setdefault(name, False)
        if not is_ready and not may_wait:
            return None
        self.num_beside += self._decoding.pop(name)
        return super().finish(name, plan, on_frames)


def work_until_done(world: World, engine: FakeEngine, blobs: Path, job_id: str) -> str:
    """The state of a job after a worker had it."""
    work(world, engine, blobs, lambda: world.state(job_id) in {"succeeded", "failed"})
    return world.state(job_id)


def work(world: World, engine: FakeEngine, blobs: Path, is_over: Callable[[], bool]) -> None:
    """A worker at work until `is_over`, or until patience ended. It ends in peace."""
    worker = Worker(
        "decoding",
        ["pocket"],
        world.store,
        open_blobs(str(blobs)),
        engine=engine,
        pricers={"pocket": Pricer(Architecture(256, 6, 1024), (4, 8))},
        metrics=Metrics(CollectorRegistry(), version="test"),
        pace=Pace(beat_every_s=0.0),
    )
    rang = threading.Event()
    silence = world.store.bell.listen(lambda _: rang.set())
    thread = threading.Thread(target=worker.run)
    thread.start()
    deadline = time.monotonic() + PATIENCE_S
    while not is_over() and thread.is_alive() and time.monotonic() < deadline:
        rang.wait(0.1)
        rang.clear()
    worker.stop()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    silence()


def test_a_clip_cancelled_while_it_is_decoded_is_let_go_and_the_next_is_made(tmp_path: Path) -> None:
    world = open_world("sqlite://", lease_s=45.0)
    first, second = world.submit().job, world.submit().job
    engine = DecodingEngine(lambda: world.store.register.cancel(first.id, "ann"))
    assert work_until_done(world, engine, tmp_path, second.id) == "succeeded"
    assert world.state(first.id) == "cancelled"
    world.store.close()


def test_what_is_told_to_be_left_falls_while_a_clip_is_decoded(tmp_path: Path) -> None:
    world = open_world("sqlite://", lease_s=45.0)
    job = world.submit().job
    told: list[float] = []
    engine = PiecesEngine(lambda: told.append(world.find(job.id).left_s))
    assert work_until_done(world, engine, tmp_path, job.id) == "succeeded"
    assert told[0] > told[1] == 0.0
    world.store.close()


def test_a_word_about_an_attempt_before_this_one_is_not_believed(tmp_path: Path) -> None:
    world = open_world("sqlite://", lease_s=45.0)
    job = world.submit().job
    engine = DecodingEngine(lambda: None)
    step = engine.step

    def step_and_ring(names: Sequence[str], timeout_s: float | None = None) -> dict[str, int]:
        world.store.bell.ring(f"gone {job.id}")
        return step(names, timeout_s)

    engine.step = step_and_ring  # type: ignore[method-assign]
    assert work_until_done(world, engine, tmp_path, job.id) == "succeeded"
    assert world.find(job.id).attempt == 1
    world.store.close()


def test_the_next_clip_is_begun_while_one_is_decoded_and_nobody_waits_for_the_last(tmp_path: Path) -> None:
    world = open_world("sqlite://", lease_s=45.0)
    first, second = world.submit().job, world.submit().job
    engine = BesideEngine()
    assert work_until_done(world, engine, tmp_path, second.id) == "succeeded"
    assert world.state(first.id) == "succeeded"
    assert engine.num_beside == 1, "the first beside the second's steps, the second alone"
    world.store.close()


def test_an_engine_that_dies_while_a_clip_is_decoded_frees_its_encoder(tmp_path: Path) -> None:
    world = open_world("sqlite://", lease_s=45.0)
    job = world.submit().job

    def die() -> None:
        raise EngineDiedError("engine: it ended in the middle of a decode")

    work(world, DecodingEngine(die), tmp_path, lambda: (world.state(job.id), world.find(job.id).attempt) == ("available", 1))
    assert (world.state(job.id), world.find(job.id).attempt) == ("available", 1)
    world.store.close()


def test_a_store_that_is_away_during_a_decode_costs_no_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world("sqlite://", lease_s=45.0)
    job = world.submit().job
    beat = world.store.leases.beat
    engine = DecodingEngine(lambda: monkeypatch.setattr(world.store.leases, "beat", away_once))

    def away_once(beats: list[Beat]) -> set[str]:
        monkeypatch.setattr(world.store.leases, "beat", beat)
        raise UnavailableError("database: it cannot be reached; try again")

    assert work_until_done(world, engine, tmp_path, job.id) == "succeeded"
    assert world.find(job.id).attempt == 1
    world.store.close()
