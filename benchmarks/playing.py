"""A trace played on a real `cinelet serve`, for benchmarks that compare what was promised, predicted or planned with what came."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cinelet.capacity import Arrival
from cinelet.capacity.load.endpoint import Endpoint
from cinelet.capacity.load.probe import Probe
from cinelet.capacity.load.sample import Sample
from cinelet.capacity.load.wishes import Wishes, fresh_seed
from cinelet.scheduling.foresight import gaps_s, usual_s

TIMEOUT_S = 1800.0


def play(url: str, arrivals: Sequence[Arrival], *, timeout_s: float = TIMEOUT_S) -> list[Sample]:
    """Send all arrivals at their instants and follow each to its end. Deadlines are ours to judge by; tiers are told."""

    async def run() -> list[Sample]:
        async with Endpoint(f"{url}/v1", lambda _: None, max_submissions=256) as endpoint:
            wishes = Wishes(first_seed=fresh_seed(), tells_deadlines=False, tells_tiers=True)
            probe = Probe(endpoint, wishes, timeout_s=timeout_s, max_in_flight=4096)
            await probe.run(arrivals)
            return probe.samples

    return asyncio.run(run())


@dataclass(frozen=True)
class Life:
    """One finished clip by the service's own clock, not by looks from outside: its device seconds as predicted when it was accepted, when
    that was, when it was due, first came to the device and was there as a file, its seconds on the device and those of its decode."""

    work_s: float
    created_at: float
    due_at: float
    started_at: float
    finished_at: float
    device_s: float
    decode_s: float

    @property
    def took_s(self) -> float:
        """From acceptance to its file."""
        return self.finished_at - self.created_at


def lives_of(store: Path, samples: Sequence[Sample]) -> list[Life]:
    """What the service's SQLite file says of each finished sample."""
    query = "SELECT id, report, work_s, created_at, due_at, started_at, finished_at FROM jobs"
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as database:
        rows = {job_id: rest for job_id, *rest in database.execute(query)}

    def life(sample: Sample) -> Life:
        report, work_s, created_at, due_at, started_at, finished_at = rows[sample.job_id]
        told = json.loads(report)
        decode_s = told["stage_durations_s"]["vae_decode"]
        return Life(work_s, created_at, due_at, started_at, finished_at, told["inference_time_s"], decode_s)

    return list(map(life, samples))


def turn_s(lives: Sequence[Life]) -> float:
    """What passes on one device from a clip's own seconds to the next that has waited."""
    return usual_s(gaps_s((life.created_at, life.started_at, life.device_s, life.finished_at) for life in lives))
