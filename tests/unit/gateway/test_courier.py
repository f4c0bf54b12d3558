from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from cinelet.errors import UnavailableError
from cinelet.gateway import courier as courier_module
from cinelet.gateway.courier import HOLD_S, MAX_IN_FLIGHT, RETRY_DELAYS_S, Courier
from cinelet.gateway.envoy import ANSWER_TIMEOUT_S, TIMEOUT_S, Envoy, direct_transport
from cinelet.jobs import Delivery
from cinelet.jobs.endpoints import new_secret
from tests.support.webhook_receiver import Receiver, receiver

NOW = 1_800_000_000.0
OWN_SECRET = new_secret()


def message(number: int, url: str, **changes: Any) -> Delivery:
    delivery = Delivery(
        id=number, event_id=f"evt_{number}", job_id=f"video_local_{number:026d}", type="video.completed",
        tenant="acme", url=url, created_at=NOW, due_at=NOW, attempt=0, secrets=[new_secret()],
    )  # fmt: skip
    return replace(delivery, **changes)


@dataclass
class Waiting:
    """Deliveries in memory."""

    now: float = NOW
    rows: dict[int, tuple[float | None, Delivery]] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)
    num_asked: int = 0
    num_waits: int = 0
    is_down: bool = False

    def add(self, *deliveries: Delivery, at: float = NOW) -> None:
        self.rows.update({delivery.id: (at, delivery) for delivery in deliveries})

    def _check(self) -> None:
        if self.is_down:
            raise UnavailableError("database: it cannot be reached; try again")

    def _open(self, without: Collection[str]) -> list[tuple[float, Delivery]]:
        rows = [(at, delivery) for at, delivery in self.rows.values() if at is not None and delivery.url not in without]
        return sorted(rows, key=lambda row: row[0])

    def due(self, now: float, limit: int, without: Collection[str] = ()) -> list[Delivery]:
        self._check()
        self.num_asked += 1
        return [replace(delivery, due_at=at) for at, delivery in self._open(without) if at <= now][:limit]

    def next_due_at(self, without: Collection[str] = ()) -> float | None:
        self._check()
        self.num_waits += 1
        return next((at for at, _ in self._open(without)), None)

    def move(self, delivery_id: int, from_at: float, to_at: float) -> bool:
        self._check()
        if delivery_id not in self.rows or self.rows[delivery_id][0] != from_at:
            return False
        self.rows[delivery_id] = (to_at, self.rows[delivery_id][1])
        return True

    def delivered(self, delivery_id: int) -> None:
        self._check()
        del self.rows[delivery_id]
        self.taken.append(delivery_id)

    def failed(self, delivery_id: int, next_attempt_at: float | None, reason: str) -> None:
        self._check()
        _, delivery = self.rows[delivery_id]
        self.rows[delivery_id] = (next_attempt_at, replace(delivery, attempt=delivery.attempt + 1))
        self.reasons.append(reason)

    def disable(self, url: str) -> None:
        self.rows = {number: row for number, row in self.rows.items() if row[1].url != url}
        self.reasons.append("disabled")


@dataclass
class Stage:
    """A courier, what waits for it, and a receiver."""

    courier: Courier
    waiting: Waiting
    host: Receiver
    wake: asyncio.Event

    @asynccontextmanager
    async def running(self) -> Any:
        task = asyncio.create_task(self.courier.run(self.wake))
        try:
            yield
            assert not task.done()
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def look_again(self) -> None:
        """Wake the courier, until it has looked and waits."""
        before = self.waiting.num_waits
        self.wake.set()
        await until(lambda: self.waiting.num_waits > before)


async def until(is_so: Callable[[], bool]) -> None:
    """Let the loop turn until something is so."""
    async with asyncio.timeout(20):
        while not is_so():
            await asyncio.sleep(0.005)


def play(scene: Callable[[Stage], Awaitable[None]], *, timeout_s: float = 20.0) -> None:
    async def run() -> None:
        waiting = Waiting()
        async with receiver() as host, direct_transport() as transport:
            envoy = Envoy(transport, allow_loopback=True, timeout_s=timeout_s, clock=lambda: waiting.now)
            courier = Courier(waiting, envoy, secret_of=lambda _: OWN_SECRET, clock=lambda: waiting.now)
            await scene(Stage(courier, waiting, host, asyncio.Event()))

    asyncio.run(run())


@pytest.mark.parametrize(("path", "reason"), [("/500", "answered 500"), ("/302", "answered 302"), ("/hang", "no answer within 0.1 s")])
def test_a_failed_try_is_followed_by_seven_more_and_then_by_none(path: str, reason: str) -> None:
    async def scene(stage: Stage) -> None:
        stage.waiting.add(message(1, stage.host.url(path)))
        delays = []
        for _ in range(8):
            (delivery,) = stage.waiting.due(stage.waiting.now, 1)
            outcome = await stage.courier.deliver_once(delivery)
            assert outcome.reason == reason
            if outcome.next_attempt_at is not None:
                delays.append(outcome.next_attempt_at - stage.waiting.now)
                stage.waiting.now = outcome.next_attempt_at
        assert outcome.kind == "dead"
        assert stage.waiting.next_due_at() is None
        assert tuple(delays) == RETRY_DELAYS_S == (5, 300, 1800, 7200, 18000, 36000, 36000)
        assert {request.headers["webhook-id"] for request in stage.host.received} == {"evt_1"}

    play(scene, timeout_s=20.0 if path != "/hang" else 0.1)


def test_a_message_is_delivered_once_it_is_acknowledged() -> None:
    async def scene(stage: Stage) -> None:
        stage.waiting.add(message(1, stage.host.url("/200")))
        outcome = await stage.courier.deliver_once(stage.waiting.due(NOW, 1)[0])
        assert (outcome.kind, outcome.reason) == ("delivered", "answered 200")
        assert stage.waiting.taken == [1]
        body = json.loads(stage.host.received[0].body)
        assert (body["id"], body["type"], body["data"]["id"]) == ("evt_1", "video.completed", f"video_local_{1:026d}")

    play(scene)


def test_a_receiver_that_is_gone_hears_nothing_more() -> None:
    async def scene(stage: Stage) -> None:
        stage.waiting.add(message(1, stage.host.url("/410")), message(2, stage.host.url("/410")))
        outcome = await stage.courier.deliver_once(stage.waiting.due(NOW, 1)[0])
        assert outcome.kind == "disabled"
        assert not stage.waiting.rows

    play(scene)


def test_a_receiver_without_a_secret_gets_the_deployments_signature() -> None:
    async def scene(stage: Stage) -> None:
        stage.waiting.add(message(1, stage.host.url("/200"), secrets=None), message(2, stage.host.url("/200"), secrets=[OWN_SECRET] * 2))
        for delivery in stage.waiting.due(NOW, 2):
            await stage.courier.deliver_once(delivery)
        one, two = (request.headers["webhook-signature"].split(" ") for request in stage.host.received)
        assert (len(one), len(two)) == (1, 2)

    play(scene)


def test_a_url_that_leads_inside_fails_without_a_connection() -> None:
    async def scene(stage: Stage) -> None:
        stage.waiting.add(message(1, "https://169.254.169.254/"))
        outcome = await stage.courier.deliver_once(stage.waiting.due(NOW, 1)[0])
        assert outcome.kind == "retry"
        assert "public addresses only" in outcome.reason

    play(scene)


def test_the_courier_delivers_what_is_there_and_what_it_is_woken_for() -> None:
    async def scene(stage: Stage) -> None:
        stage.waiting.add(*(message(number, stage.host.url("/200")) for number in range(3)))
        async with stage.running():
            await until(lambda: stage.waiting.taken == [0, 1, 2])
            stage.waiting.add(message(7, stage.host.url("/200")))
            stage.wake.set()
            await until(lambda: 7 in stage.waiting.taken)

    play(scene)


def test_one_message_at_a_time_to_a_receiver_and_a_few_in_all() -> None:
    async def scene(stage: Stage) -> None:
        same = [message(number, stage.host.url("/gated")) for number in range(20)]
        others = [message(100 + number, stage.host.url("/gated") + f"?{number}") for number in range(MAX_IN_FLIGHT + 4)]
        stage.waiting.add(*same, at=NOW - 10)
        stage.waiting.add(*others)
        async with stage.running():
            await stage.host.wait_for(MAX_IN_FLIGHT)
            assert stage.host.num_open == MAX_IN_FLIGHT
            ids = [request.headers["webhook-id"] for request in stage.host.received]
            assert ids.count("evt_0") == 1
            assert sum(int(name.removeprefix("evt_")) < 100 for name in ids) == 1
            stage.host.gate.set()
            await until(lambda: not stage.waiting.rows)
        assert stage.host.max_open == MAX_IN_FLIGHT
        assert [number for number in stage.waiting.taken if number < 100] == list(range(20))

    play(scene)


def test_a_hanging_receiver_holds_up_nobody_else() -> None:
    async def scene(stage: Stage) -> None:
        stage.waiting.add(*(message(number, stage.host.url("/hang")) for number in range(100)), at=NOW - 10)
        async with stage.running():
            await stage.host.wait_for(1)
            stage.waiting.add(message(500, stage.host.url("/200")))
            stage.wake.set()
            await until(lambda: stage.waiting.taken == [500])
            await stage.look_again()
            before = stage.waiting.num_asked
            await asyncio.sleep(0.1)  # no event tells that nothing happens
            assert stage.waiting.num_asked == before

    play(scene)


def test_a_retry_comes_when_it_is_due() -> None:
    async def scene(stage: Stage) -> None:
        stage.waiting.add(message(1, stage.host.url("/500")))
        async with stage.running():
            await until(lambda: len(stage.waiting.reasons) == 1)
            await stage.look_again()
            stage.waiting.now += 4.9
            await stage.look_again()
            assert len(stage.host.received) == 1
            stage.waiting.now += 0.2
            stage.wake.set()
            await stage.host.wait_for(2)

    play(scene)


def test_an_idle_courier_does_not_spin() -> None:
    async def scene(stage: Stage) -> None:
        stage.waiting.add(message(1, stage.host.url("/500")))
        async with stage.running():
            await until(lambda: len(stage.waiting.reasons) == 1)
            await stage.look_again()
            before = stage.waiting.num_asked
            await asyncio.sleep(0.1)  # no event tells that nothing happens
            assert stage.waiting.num_asked == before

    play(scene)


def test_the_courier_outlives_a_store_that_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier_module, "STORE_REST_S", 0.01)

    async def scene(stage: Stage) -> None:
        stage.waiting.is_down = True
        stage.waiting.add(message(1, stage.host.url("/200")))
        async with stage.running():
            for _ in range(5):
                await asyncio.sleep(0.01)
            assert not stage.host.received
            stage.waiting.is_down = False
            await until(lambda: stage.waiting.taken == [1])

    play(scene)


def test_a_message_whose_delivery_could_not_be_written_down_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier_module, "STORE_REST_S", 0.01)

    async def scene(stage: Stage) -> None:
        stage.waiting.add(message(1, stage.host.url("/gated")))
        async with stage.running():
            await stage.host.wait_for(1)
            stage.waiting.is_down = True
            stage.host.gate.set()
            await until(lambda: stage.host.num_open == 0)
            stage.waiting.is_down = False
            stage.waiting.now += HOLD_S
            stage.wake.set()
            await until(lambda: stage.waiting.taken == [1])
        assert {request.headers["webhook-id"] for request in stage.host.received} == {"evt_1"}

    play(scene)


def test_a_cancelled_courier_leaves_its_messages_for_the_next() -> None:
    async def scene(stage: Stage) -> None:
        stage.waiting.add(message(1, stage.host.url("/hang")))
        async with stage.running():
            await stage.host.wait_for(1)
        await until(lambda: stage.host.num_open == 0)
        assert stage.waiting.due(NOW, 1)[0].attempt == 0

    play(scene)


def test_a_message_that_another_courier_holds_is_left_to_it() -> None:
    async def scene(stage: Stage) -> None:
        stage.waiting.add(message(1, stage.host.url("/200")))
        read = stage.waiting.due
        stage.waiting.due = lambda *asked: [found for found in read(*asked) if stage.waiting.move(found.id, NOW, NOW + HOLD_S)]
        async with stage.running():
            await stage.look_again()
            await stage.look_again()
        assert not stage.host.received
        stage.waiting.due = read
        stage.waiting.now += HOLD_S
        async with stage.running():
            await until(lambda: stage.waiting.taken == [1])

    play(scene)


def test_a_message_is_held_while_it_is_tried_and_for_longer_than_a_try_can_take() -> None:
    async def scene(stage: Stage) -> None:
        stage.waiting.add(message(1, stage.host.url("/gated")))
        async with stage.running():
            await stage.host.wait_for(1)
            assert stage.waiting.due(NOW, 1) == []
            assert stage.waiting.next_due_at() == NOW + HOLD_S > NOW + 2 * (TIMEOUT_S + ANSWER_TIMEOUT_S)
            stage.host.gate.set()
            await until(lambda: stage.waiting.taken == [1])

    play(scene)
