"""Carries webhook messages to their receivers, at least once each, under one `webhook-id`.

One message at a time to a receiver, a few at a time in all; a receiver that fails waits longer and longer and holds up nobody
else. Of the couriers of many gateways on one store one tries a message: it holds it first, by moving its next try. Knows nothing of
connections: the envoy brings a message and tells what the receiver said.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Protocol

from cinelet.errors import CineletError
from cinelet.gateway.envoy import Envoy
from cinelet.gateway.webhook import event_body
from cinelet.jobs import Delivery

RETRY_DELAYS_S = (5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 36_000.0)
"""After the first try, at once: seven more over some 28 hours (the schedule Standard Webhooks proposes)."""
MAX_IN_FLIGHT = 8
MIN_WAIT_S = 0.02
MAX_WAIT_S = 10.0
"""A wake-up may be lost between processes; this is how late a message is then."""
HOLD_S = 60.0
"""How long a message is held for a try, which takes a third of that at most. A killed courier's message is sent again after it."""
STORE_REST_S = 2.0
"""How long a failing store is left alone."""

log = logging.getLogger(__name__)


OUTCOMES = {"delivered": "delivered", "retry": "retried", "dead": "dead", "disabled": "disabled"}
"""Kinds of `Outcome` in the words of the metric."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a try. `next_attempt_at` is unix seconds, None where no other follows."""

    kind: Literal["delivered", "retry", "dead", "disabled"]
    reason: str
    next_attempt_at: float | None = None


class Deliveries(Protocol):
    """Where messages wait. The calls may block; they run in a thread."""

    def due(self, now: float, limit: int, without: Collection[str] = ()) -> list[Delivery]:
        """Deliveries whose time has come, oldest first, none of them to a URL in `without`."""

    def next_due_at(self, without: Collection[str] = ()) -> float | None:
        """When the next delivery to a URL not in `without` is due, or None."""

    def move(self, delivery_id: int, from_at: float, to_at: float) -> bool:
        """Move the next try from one instant to another; False where it stands elsewhere by now."""

    def delivered(self, delivery_id: int) -> None:
        """The receiver took it."""

    def failed(self, delivery_id: int, next_attempt_at: float | None, reason: str) -> None:
        """This try failed; None: no other follows."""

    def disable(self, url: str) -> None:
        """The receiver is gone for good: nothing more is sent there, what waits for it is dropped."""


class Courier:
    """Delivers what is due by `envoy`. `secret_of` a tenant signs for receivers without one of their own; `clock` gives unix seconds."""

    def __init__(
        self,
        deliveries: Deliveries,
        envoy: Envoy,
        *,
        secret_of: Callable[[str], str],
        clock: Callable[[], float] = time.time,
        on_outcome: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._deliveries = deliveries
        self._envoy = envoy
        self._secret_of = secret_of
        self._clock = clock
        self._on_outcome = on_outcome
        self._busy: set[str] = set()

    async def run(self, wake: asyncio.Event) -> None:
        """Deliver until cancelled. `wake` is set by whoever knows of new work; the courier sets it itself when a try has ended.

        Cancelling cuts off the tries under way; their messages are sent again by the next courier.
        """
        async with asyncio.TaskGroup() as tries:
            while True:
                wake.clear()
                try:
                    await self._start_due(tries, wake)
                    wait_s = await self._wait_s()
                except CineletError as error:
                    log.warning("webhooks: the store cannot be asked; %s", error.message)
                    wait_s = STORE_REST_S
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await wake.wait()

    async def deliver_once(self, delivery: Delivery) -> Outcome:
        """One try, its outcome written down. Raises `UnavailableError` when it cannot be written; the message is then sent again."""
        body = event_body(delivery.event_id, delivery.type, delivery.job_id, delivery.created_at)
        secrets = (self._secret_of(delivery.tenant),) if delivery.secrets is None else delivery.secrets
        outcome = self._judge(delivery, await self._envoy.send(delivery.url, delivery.event_id, body, secrets))
        match outcome.kind:
            case "delivered":
                await asyncio.to_thread(self._deliveries.delivered, delivery.id)
            case "disabled":
                await asyncio.to_thread(self._deliveries.disable, delivery.url)
            case _:
                await asyncio.to_thread(self._deliveries.failed, delivery.id, outcome.next_attempt_at, outcome.reason)
        return outcome

    async def _start_due(self, tries: asyncio.TaskGroup, wake: asyncio.Event) -> None:
        """Start as many tries as there is room for, one a receiver."""
        while len(self._busy) < MAX_IN_FLIGHT:
            room = MAX_IN_FLIGHT - len(self._busy)
            due = await asyncio.to_thread(self._deliveries.due, self._clock(), room, frozenset(self._busy))
            firsts = {delivery.url: delivery for delivery in reversed(due) if delivery.url not in self._busy}
            if not firsts:
                return
            for delivery in firsts.values():
                self._busy.add(delivery.url)
                tries.create_task(self._try(delivery, wake))

    async def _wait_s(self) -> float:
        """How long nothing can be started. With all hands full only the end of a try changes that, and it wakes."""
        if len(self._busy) >= MAX_IN_FLIGHT:
            return MAX_WAIT_S
        due_at = await asyncio.to_thread(self._deliveries.next_due_at, frozenset(self._busy))
        return MAX_WAIT_S if due_at is None else min(MAX_WAIT_S, max(MIN_WAIT_S, due_at - self._clock()))

    async def _try(self, delivery: Delivery, wake: asyncio.Event) -> None:
        """One try, unless another courier holds the message. What a try did not settle is given back, else its hold runs out."""
        held_until = self._clock() + HOLD_S
        try:
            if await asyncio.to_thread(self._deliveries.move, delivery.id, delivery.due_at, held_until):
                outcome = await self.deliver_once(delivery)
                self._on_outcome(OUTCOMES[outcome.kind])
                log.info("webhooks: %s to delivery %d, try %d: %s", delivery.event_id, delivery.id, delivery.attempt + 1, outcome.reason)
        except asyncio.CancelledError:
            await self._give_back(delivery, held_until)
            raise
        except Exception as error:
            if isinstance(error, CineletError):
                log.warning("webhooks: delivery %d could not be written down; %s", delivery.id, error.message)
            else:
                log.exception("webhooks: delivery %d broke", delivery.id)
            await asyncio.sleep(STORE_REST_S)  # the receiver stays busy for so long: no storm while the store is down
            await self._give_back(delivery, held_until)
        finally:
            self._busy.discard(delivery.url)
            wake.set()

    async def _give_back(self, delivery: Delivery, held_until: float) -> None:
        with suppress(CineletError):
            await asyncio.to_thread(self._deliveries.move, delivery.id, held_until, delivery.due_at)

    def _judge(self, delivery: Delivery, answer: int | str) -> Outcome:
        """2xx is an acknowledgement, 410 the end of the receiver; all else, redirects included, is a failed try."""
        if isinstance(answer, int) and 200 <= answer < 300:
            return Outcome(kind="delivered", reason=f"answered {answer}")
        if answer == 410:
            return Outcome(kind="disabled", reason="answered 410: the receiver is gone")
        reason = answer if isinstance(answer, str) else f"answered {answer}"
        if delivery.attempt >= len(RETRY_DELAYS_S):
            return Outcome(kind="dead", reason=reason)
        return Outcome(kind="retry", reason=reason, next_attempt_at=self._clock() + RETRY_DELAYS_S[delivery.attempt])
