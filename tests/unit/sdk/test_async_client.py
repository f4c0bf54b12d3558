"""The client on an event loop means the same by each call."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from cinelet.errors import TimedOutError
from cinelet.sdk import AsyncClient, Client
from cinelet.video import VideoRequest
from tests.support.fake_service import CLIP

CAR = VideoRequest(prompt="a red car", seed=3)


def test_both_clients_have_the_same_calls_with_the_same_arguments() -> None:
    public = [name for name in vars(Client) if not name.startswith("_")]
    assert public == [name for name in vars(AsyncClient) if not name.startswith("_")]
    for name in public:
        assert list(inspect.signature(getattr(Client, name)).parameters) == list(inspect.signature(getattr(AsyncClient, name)).parameters)


def test_every_call_works(service, protocol, clock, tmp_path) -> None:
    async def story() -> None:
        async with AsyncClient(service.url, protocol=protocol, sleep=clock.sleep_async) as client:
            job = await client.submit(CAR, idempotency_key="mine")
            assert (await client.get(job.id)).id == job.id
            assert [event.job.progress async for event in client.watch(job.id)][-1] == 100
            service.trouble("GET", "/content$", cut=30_000)
            assert (await client.download(job.id, tmp_path / "clip.mp4")).read_bytes() == CLIP
            assert await client.content(job.id) == CLIP
            assert (await client.list()).last_id == job.id
            assert (await client.retry(job.id)).id != job.id
            assert (await client.cancel(job.id)).status == "completed"
            assert (await client.estimate(CAR))["num_frames"] == 16
            assert (await client.models())[0]["id"] == "pocket"
            assert await client.text_to_video("a car") == CLIP
            await client.delete(job.id)

    asyncio.run(story())


def test_lost_answers_are_asked_for_again(service, protocol, clock) -> None:
    async def story() -> None:
        async with AsyncClient(service.url, protocol=protocol, sleep=clock.sleep_async) as client:
            await client.submit(CAR)

    service.trouble("POST", "/videos$", times=2, drop="after")
    asyncio.run(story())
    assert len(service.jobs) == 1
    assert clock.pauses == [0.5, 1]


def test_many_jobs_are_waited_for_at_once(service, protocol, clock) -> None:
    async def story() -> list[str]:
        async with AsyncClient(service.url, protocol=protocol, sleep=clock.sleep_async) as client:
            jobs = [await client.submit(CAR) for _ in range(8)]
            return [job.status for job in await asyncio.gather(*(client.wait(job.id) for job in jobs))]

    assert asyncio.run(story()) == ["completed"] * 8


def test_a_wait_can_be_cancelled_and_leaves_the_job(service, protocol, tmp_path) -> None:
    async def story() -> None:
        async with AsyncClient(service.url, protocol=protocol) as client:
            service.hold_all = True
            job = await client.submit(CAR)
            heard = asyncio.Event()
            waiting = asyncio.create_task(client.wait(job.id, lambda news: heard.set()))
            await heard.wait()
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert (await client.get(job.id)).status == "queued"

    asyncio.run(story())


def test_a_wait_gives_up_in_time(service, protocol, clock) -> None:
    async def story() -> None:
        async with AsyncClient(service.url, protocol=protocol, sleep=clock.sleep_async) as client:
            service.hold_all = True
            service.poll_after_ms = 1500
            job = await client.submit(CAR)
            with pytest.raises(TimedOutError):
                await client.wait(job.id, timeout_s=5)

    asyncio.run(story())
