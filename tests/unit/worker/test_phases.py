"""A worker whose engine advances only those whose expert is on the device: the others wait, and nothing is lost or failed."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry

from cinelet.engine.phases import Phases
from cinelet.scheduling import Architecture, Pricer
from cinelet.storage import open_blobs
from cinelet.telemetry import Metrics
from cinelet.worker import FakeEngine, Pace, Worker
from tests.support.world import open_world

PATIENCE_S = 30.0


class PhasedEngine(FakeEngine):
    """Swaps experts as the real one does; each clip wants the second expert one step later than the clip before it."""

    def __init__(self) -> None:
        super().__init__()
        self.phases = Phases()
        self.resident: int | None = None
        self.boundaries: dict[str, int] = {}
        self.num_swaps = self.num_waits = 0

    def step(self, names: Sequence[str], timeout_s: float | None = None) -> dict[str, int]:
        wanted = {}
        for name in names:
            boundary = self.boundaries.setdefault(name, 1 + len(self.boundaries))
            wanted[name] = int(self._steps[name] >= boundary)
        turn = self.phases.turn(self.resident, set(wanted.values()))
        self.num_swaps += turn != self.resident
        self.resident = turn
        movers = [name for name in names if wanted[name] == turn]
        self.num_waits += len(names) - len(movers)
        super().step(movers, timeout_s)
        return {name: self._steps[name] for name in names}


def test_clips_that_wait_for_their_expert_are_finished_in_one_attempt(tmp_path: Path) -> None:
    world = open_world("sqlite://", lease_s=45.0)
    engine = PhasedEngine()
    rang = threading.Event()
    silence = world.store.bell.listen(lambda _: rang.set())
    jobs = [world.submit().job for _ in range(2)]
    worker = Worker(
        "phased",
        ["pocket"],
        world.store,
        open_blobs(str(tmp_path / "blobs")),
        engine=engine,
        pricers={"pocket": Pricer(Architecture(256, 6, 1024), (4, 8))},
        metrics=Metrics(CollectorRegistry(), version="test"),
        pace=Pace(slots=2, grace_s=0.0),
    )
    thread = threading.Thread(target=worker.run)
    thread.start()
    deadline = time.monotonic() + PATIENCE_S
    while {world.state(job.id) for job in jobs} != {"succeeded"} and time.monotonic() < deadline:
        rang.wait(1.0)
        rang.clear()
    worker.stop()
    thread.join(PATIENCE_S)
    silence()
    assert [(world.state(job.id), world.find(job.id).attempt) for job in jobs] == [("succeeded", 1)] * 2
    assert (engine.num_swaps, engine.num_waits) == (2, 1), "the first clip waited one step for the second to reach its phase"
    world.store.close()
