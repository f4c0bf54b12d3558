from __future__ import annotations

import asyncio
import math
import time

import pytest
from limits.aio.storage import MemoryStorage
from limits.errors import StorageError

from cinelet.errors import InvalidValueError, RateLimitedError
from cinelet.gateway.access import Allowance, Limiter, open_counters
from cinelet.gateway.access.limiter import READS_PER_MINUTE, STORE_REST_S, STRICTNESS, wait_s
from cinelet.jobs import Tenant
from tests.support.issuer import Clock

ACME = Tenant(id="acme", requests_per_minute=10)


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that the counters read, at the beginning of a window."""
    clock = Clock(1_800_000_000.0)
    monkeypatch.setattr(time, "time", clock)
    return clock


class Shared(MemoryStorage):
    """A shared store that fails, or hangs, when told to."""

    STORAGE_SCHEME = None
    is_down = False
    hangs = False
    num_asked = 0

    async def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        self.num_asked += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.is_down:
            raise StorageError(ConnectionError("refused"))
        return await super().acquire_sliding_window_entry(key, limit, expiry, amount)


async def count(limiter: Limiter, tenant: Tenant, tries: int) -> int:
    """How many of so many tries are let through."""
    passed = 0
    for _ in range(tries):
        try:
            await limiter.spend(tenant, "submit")
            passed += 1
        except RateLimitedError:
            pass
    return passed


def test_a_tenant_submits_as_often_as_it_may_and_then_hears_when_to_come_back(wall: Clock) -> None:
    async def run() -> None:
        limiter = Limiter(open_counters())
        for number in range(10):
            allowance = await limiter.spend(ACME, "submit")
            assert allowance is not None
            assert (allowance.limit, allowance.remaining) == (10, 9 - number)
        with pytest.raises(RateLimitedError) as refusal:
            await limiter.spend(ACME, "submit")
        assert "more than 10 calls a minute" in refusal.value.message
        assert refusal.value.retry_after_s is not None
        wall.now += refusal.value.retry_after_s
        await limiter.spend(ACME, "submit")

    asyncio.run(run())


def test_of_many_submissions_at_once_exactly_as_many_pass_as_may(wall: Clock) -> None:
    async def run() -> None:
        limiter = Limiter(open_counters())
        results = await asyncio.gather(*(limiter.spend(ACME, "submit") for _ in range(200)), return_exceptions=True)
        assert sum(isinstance(result, Allowance) for result in results) == 10
        assert sum(isinstance(result, RateLimitedError) for result in results) == 190

    asyncio.run(run())


def test_no_minute_holds_twice_the_limit(wall: Clock) -> None:
    async def run() -> None:
        limiter = Limiter(open_counters())
        wall.now += 59
        assert await count(limiter, ACME, 20) == 10
        wall.now += 2
        assert await count(limiter, ACME, 20) <= 1
        wall.now += 60
        assert await count(limiter, ACME, 20) >= 9

    asyncio.run(run())


def test_tenants_do_not_share_a_limit_and_reads_do_not_use_up_submissions(wall: Clock) -> None:
    async def run() -> None:
        limiter = Limiter(open_counters())
        assert await count(limiter, ACME, 11) == 10
        assert await count(limiter, Tenant(id="other", requests_per_minute=10), 11) == 10
        for _ in range(100):
            allowance = await limiter.spend(ACME, "read")
        assert allowance == Allowance(limit=READS_PER_MINUTE, remaining=READS_PER_MINUTE - 100, reset_s=120.0)

    asyncio.run(run())


def test_a_tenant_without_a_limit_is_not_counted() -> None:
    assert asyncio.run(Limiter(open_counters()).spend(Tenant(id="free as a bird"), "submit")) is None


def test_a_tenant_with_a_limit_of_zero_submits_nothing(wall: Clock) -> None:
    async def run() -> None:
        for shared in (open_counters(), broken()):
            assert await count(Limiter(shared), Tenant(id="paused", requests_per_minute=0), 5) == 0

    asyncio.run(run())


def test_headers_are_those_that_clients_of_openai_read() -> None:
    assert Allowance(limit=10, remaining=9, reset_s=59.2).headers == {
        "x-ratelimit-limit-requests": "10", "x-ratelimit-remaining-requests": "9", "x-ratelimit-reset-requests": "60s",
    }  # fmt: skip


@pytest.mark.parametrize("limit", [1, 3, 60])
@pytest.mark.parametrize("offset_s", [0.0, 17.3, 59.5])
def test_who_waits_as_told_gets_in_and_who_comes_two_seconds_earlier_does_not(wall: Clock, limit: int, offset_s: float) -> None:
    async def run() -> None:
        tenant = Tenant(id="acme", requests_per_minute=limit)
        limiter = Limiter(open_counters())
        wall.now += offset_s
        assert await count(limiter, tenant, limit) == limit
        for _ in range(3):
            with pytest.raises(RateLimitedError) as refusal:
                await limiter.spend(tenant, "submit")
            told_s = refusal.value.retry_after_s
            assert told_s is not None
            assert 1 <= told_s <= 121
            if told_s > 2:
                wall.now += told_s - 2
                with pytest.raises(RateLimitedError):
                    await limiter.spend(tenant, "submit")
                wall.now += 2
            else:
                wall.now += told_s
            assert await count(limiter, tenant, 100) >= 1

    asyncio.run(run())


def test_a_wait_is_always_a_positive_whole_number() -> None:
    for window in ((0, 0.0, 0, 120.0), (10, 60.0, 0, 120.0), (5, 0.01, 10, 60.01), (0, 0.0, 1000, 60.0)):
        for limit in (0, 1, 10):
            told_s = wait_s(limit, *window)
            assert told_s >= 1
            assert told_s == math.floor(told_s)


def test_a_limit_that_was_lowered_is_waited_for_longer() -> None:
    """20 calls were let through; from the new window on they fade, and half of them are gone 60 s from now."""
    assert wait_s(10, 0, 0.0, 20, 90.0) == 61.0


def broken() -> Shared:
    shared = Shared()
    shared.is_down = True
    return shared


@pytest.mark.parametrize("fault", ["is_down", "hangs"])
def test_when_the_shared_store_fails_a_stricter_count_takes_its_place(wall: Clock, fault: str) -> None:
    async def run() -> None:
        shared, clock = Shared(), Clock(0.0)
        limiter = Limiter(shared, clock=clock)
        tenant = Tenant(id="acme", requests_per_minute=40)
        assert await count(limiter, tenant, 5) == 5
        setattr(shared, fault, True)
        assert not limiter.is_degraded
        asked_before = shared.num_asked
        assert await count(limiter, tenant, 100) == 40 // STRICTNESS
        assert limiter.is_degraded
        assert shared.num_asked == asked_before + 1
        setattr(shared, fault, False)
        clock.now += STORE_REST_S
        assert await count(limiter, tenant, 100) == 35
        assert not limiter.is_degraded

    asyncio.run(run())


def test_alone_a_gateway_still_lets_one_through(wall: Clock) -> None:
    assert asyncio.run(count(Limiter(broken()), Tenant(id="acme", requests_per_minute=1), 5)) == 1


@pytest.mark.parametrize("url", ["", "http://cache", "mongodb://cache", "memory://", "redis"])
def test_only_stores_that_are_known_to_work_are_opened(url: str) -> None:
    with pytest.raises(InvalidValueError):
        open_counters(url)


def test_an_address_that_cannot_be_opened_does_not_show_its_password() -> None:
    with pytest.raises(InvalidValueError) as refusal:
        open_counters("mysql://user:hunter2@cache")
    assert "hunter2" not in refusal.value.message
