"""A fake service, and clients that count their pauses instead of making them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cinelet.sdk import Client, Protocol, RetryPolicy
from tests.support.fake_service import FakeService, fake_service


class Clock:
    """A monotonic clock that moves by pauses only."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    async def sleep_async(self, seconds: float) -> None:
        self.sleep(seconds)


@pytest.fixture
def service() -> Iterator[FakeService]:
    with fake_service() as service:
        yield service


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def protocol(service: FakeService, clock: Clock) -> Protocol:
    """No chance in it, and the test's clock."""
    return Protocol(url=service.url, retry=RetryPolicy(random=lambda: 0.0, now=lambda: 1_700_000_000.0), clock=clock)


@pytest.fixture
def client(service: FakeService, protocol: Protocol, clock: Clock) -> Iterator[Client]:
    with Client(service.url, protocol=protocol, sleep=clock.sleep) as client:
        yield client
