"""The desk with a rewriter: what is planned, what is recorded, and that a failure is no silent original."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from cinelet.cli.house import make_pricers, make_rewriter
from cinelet.errors import InvalidValueError, UnavailableError
from cinelet.gateway.access import Caller
from cinelet.gateway.answer import video
from cinelet.gateway.desk import Desk
from cinelet.gateway.fields import Parsed
from cinelet.gateway.rewriter import ChatRewriter, Rewriter, Rewriting
from cinelet.jobs import Store, Tenant
from cinelet.models import Catalogue
from cinelet.settings import Settings
from cinelet.storage import open_blobs
from cinelet.telemetry import Metrics
from cinelet.video import VideoRequest

ANN = Caller(tenant=Tenant(id="ann"), how="open")
ASKED = Parsed(request=VideoRequest(prompt="a red ball", seed=1), rewrite_prompt=True)


class Doubled:
    """Says everything twice, or fails."""

    is_broken = False

    async def rewrite(self, prompt: str) -> Rewriting:
        if self.is_broken:
            raise UnavailableError("rewrite_prompt: the rewriter is out")
        return Rewriting(prompt=f"{prompt}, {prompt}", original=prompt, rewriter="doubled")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(str(tmp_path / "jobs.db"), lease_s=60.0)
    store.tenants.put(Tenant(id="ann"))
    yield store
    store.close()


def at_desk(store: Store, rewriter: Rewriter | None, work: Callable[[Desk], Awaitable[None]]) -> None:
    """Do `work` at a desk over `store`."""

    async def run() -> None:
        catalogue = Catalogue(Path("nowhere"))
        desk = Desk(
            store,
            open_blobs("memory://"),
            catalogue,
            ["pocket"],
            pricers=make_pricers(catalogue, ["pocket"]),
            rewriter=rewriter,
            metrics=Metrics(CollectorRegistry(), version="0"),
        )
        try:
            await work(desk)
        finally:
            desk.close()

    asyncio.run(run())


def test_the_rewritten_prompt_is_planned_and_the_original_recorded_for_a_retry_too(store: Store) -> None:
    async def work(desk: Desk) -> None:
        made = await desk.create(ANN, ASKED)
        assert made.job.plan.prompt == "a red ball, a red ball"
        await desk.archive.cancel(ANN, made.job.id)
        again = await desk.retry(ANN, made.job.id)
        for view in (made, again, await desk.archive.get(ANN, made.job.id)):
            shown = video(view, "http://x/")
            assert (shown["prompt"], shown["original_prompt"], shown["rewriter"]) == ("a red ball, a red ball", "a red ball", "doubled")

    at_desk(store, Doubled(), work)


def test_without_the_wish_the_prompt_is_drawn_as_written(store: Store) -> None:
    async def work(desk: Desk) -> None:
        made = await desk.create(ANN, Parsed(request=ASKED.request))
        shown = video(made, "http://x/")
        assert (shown["prompt"], shown["original_prompt"], shown["rewriter"]) == ("a red ball", None, None)

    at_desk(store, Doubled(), work)


def test_a_failing_rewriter_accepts_nothing(store: Store) -> None:
    async def work(desk: Desk) -> None:
        with pytest.raises(UnavailableError, match="is out"):
            await desk.create(ANN, ASKED)
        assert await desk.archive.list(ANN, after=None, limit=10, order="asc") == ([], False)

    rewriter = Doubled()
    rewriter.is_broken = True
    at_desk(store, rewriter, work)


def test_a_service_without_a_rewriter_refuses_the_wish(store: Store) -> None:
    async def work(desk: Desk) -> None:
        with pytest.raises(InvalidValueError, match="prompts are not rewritten here"):
            await desk.create(ANN, ASKED)

    at_desk(store, None, work)


def test_a_rewriter_needs_an_address_and_a_model() -> None:
    assert make_rewriter(Settings()) is None
    rewriter = make_rewriter(Settings(rewriter_url="https://host/v1", rewriter_model="m", rewriter_key=SecretStr("k")))
    assert isinstance(rewriter, ChatRewriter)
    for settings in (
        Settings(rewriter_url="https://host/v1"),
        Settings(rewriter_model="m"),
        Settings(rewriter_url="host", rewriter_model="m"),
    ):
        with pytest.raises(InvalidValueError, match="goes together with rewriter_model"):
            make_rewriter(settings)
