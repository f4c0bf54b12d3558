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


@dataclass(frozen=True, kw_only=True)
class Life:
    """One finished clip by the service's own clock, not by looks from outside: from acceptance to its file, and on the device."""

    took_s: float
    device_s: float


def lives(store: Path, samples: Sequence[Sample]) -> list[Life]:
    """What the service's SQLite file says of each finished sample."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as database:
        rows = {job_id: rest for job_id, *rest in database.execute("SELECT id, finished_at - created_at, report FROM jobs")}
    told = [rows[sample.job_id] for sample in samples]
    return [Life(took_s=took_s, device_s=json.loads(report)["inference_time_s"]) for took_s, report in told]
