"""A trace played on a real `cinelet serve`, for benchmarks that compare what was promised, predicted or planned with what came."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import httpx2

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


def durations_s(url: str, samples: Sequence[Sample]) -> list[float]:
    """Device seconds of each finished clip, as the service reports them."""
    with httpx2.Client(base_url=url, trust_env=False, timeout=30.0) as client:
        return [client.get(f"/v1/videos/{sample.job_id}").json()["inference_time_s"] for sample in samples]
