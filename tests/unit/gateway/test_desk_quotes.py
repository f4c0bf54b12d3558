"""What those are told who come together: each stands behind those who were written with it, and who makes no job stands nowhere."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from cinelet.cli.house import make_pricers
from cinelet.errors import ConflictError
from cinelet.gateway.access import Caller
from cinelet.gateway.archive import View
from cinelet.gateway.desk import Desk
from cinelet.gateway.fields import Parsed
from cinelet.jobs import Store, Tenant
from cinelet.models import Catalogue
from cinelet.storage import open_blobs
from cinelet.telemetry import Metrics
from cinelet.video import VideoRequest

ANN = Caller(tenant=Tenant(id="ann"), how="open")
NUM_TOGETHER = 8


def asked(seed: int | None) -> Parsed:
    return Parsed(request=VideoRequest(prompt="a red ball", seed=seed))


@pytest.fixture
def at_desk(tmp_path: Path) -> Callable[[Callable[[Desk], Awaitable[None]]], None]:
    """Runs a story at a desk of its own."""

    def run(story: Callable[[Desk], Awaitable[None]]) -> None:
        store = Store(str(tmp_path / "jobs.db"), lease_s=60.0)
        store.tenants.put(Tenant(id="ann"))

        async def work() -> None:
            catalogue = Catalogue(Path("nowhere"))
            pricers = make_pricers(catalogue, ["pocket"])
            desk = Desk(
                store, open_blobs("memory://"), catalogue, ["pocket"], pricers=pricers, metrics=Metrics(CollectorRegistry(), version="0")
            )
            try:
                await story(desk)
            finally:
                desk.close()

        try:
            asyncio.run(work())
        finally:
            store.close()

    return run


Run = Callable[[Callable[[Desk], Awaitable[None]]], None]


def etas(views: list[View]) -> list[float]:
    return sorted(view.eta_s or 0.0 for view in views)


def test_those_who_come_together_are_told_one_time_after_the_other(at_desk: Run) -> None:
    async def story(desk: Desk) -> None:
        await desk.create(ANN, asked(None))
        views = await asyncio.gather(*(desk.create(ANN, asked(seed)) for seed in range(NUM_TOGETHER)))
        told = etas(list(views))
        one = views[0].job.work_s
        assert all(later - sooner > one / 2 for sooner, later in pairwise(told)), "but for the time that writing them took"
        assert sorted(view.num_ahead for view in views) == list(range(1, NUM_TOGETHER + 1))

    at_desk(story)


def test_who_follows_another_or_is_refused_takes_no_place(at_desk: Run) -> None:
    async def story(desk: Desk) -> None:
        await desk.create(ANN, asked(1), idempotency_key="one", body_digest="one")
        with pytest.raises(ConflictError):
            await desk.create(ANN, asked(2), idempotency_key="one", body_digest="two")
        await asyncio.gather(*(desk.create(ANN, asked(1)) for _ in range(NUM_TOGETHER)))
        assert (await desk.create(ANN, asked(3))).num_ahead == 1

    at_desk(story)
