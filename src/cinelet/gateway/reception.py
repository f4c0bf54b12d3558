"""Admission at the desk: a request and its plan in; out comes what will be made of it and when, or a refusal with a time to come back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cinelet.errors import CineletError, InvalidValueError, RateLimitedError
from cinelet.gateway.quoter import Quoter
from cinelet.jobs import Candidate, Tier
from cinelet.scheduling import Cost, Outlook, Verdict, admit, promise_s
from cinelet.scheduling.degrade import given_up
from cinelet.scheduling.waiting_room import WaitingRoom
from cinelet.video import Plan

LONGEST_RETRY_S = 3600.0


@dataclass(frozen=True, kw_only=True)
class Admission:
    """What becomes of a request: `plan` with its cost, and as the `work` that stands in line.

    `refusal` is for new work only: whoever gives it says so to `Reception.keep_room`, since a hit that it never met needs no room.
    """

    plan: Plan
    cost: Cost
    work: Candidate
    degraded_from: dict[str, object] | None = None
    refusal: CineletError | None = None


class Reception:
    """Decides on one gateway. `max_wait_s` is the longest wait that is accepted without the client's own deadline."""

    def __init__(self, quoter: Quoter, *, max_wait_s: float) -> None:
        self._quoter = quoter
        self._max_wait_s = max_wait_s
        self._room = WaitingRoom()

    def receive(
        self,
        plans: Sequence[Plan],
        outlook: Outlook[Candidate],
        *,
        tier: Tier,
        tenant: str,
        name: str,
        deadline_s: float | None,
        now: float,
    ) -> Admission:
        """The verdict on `plans`: what was asked for, then the lighter ones the client permits.

        `name` says who asks for what: one who was told to come back now is let in, and its room is used up.

        Raises `InvalidValueError` for a deadline that even an idle device would miss.
        """
        costs = [self._quoter.price(plan) for plan in plans]
        shortest_s = min(cost.solo_s for cost in costs)
        if deadline_s is not None and shortest_s > deadline_s:
            raise InvalidValueError("deadline_s", deadline_s, f"this clip alone takes about {shortest_s:.1f} s")
        works = [
            _candidate(plan, cost, tier=tier, tenant=tenant, now=now, deadline_s=deadline_s)
            for plan, cost in zip(plans, costs, strict=True)
        ]
        is_expected = self._room.redeem(name, now)
        elapsed_s = now - outlook.now
        waits_s = [max(0.0, outlook.wait_in_place_s(work) - elapsed_s) for work in works]
        verdict: Verdict[Candidate] = admit(
            works,
            waits_s,
            now=now,
            may_degrade=len(works) > 1,
            is_firm=deadline_s is not None,
            max_wait_s=self._max_wait_s,
            booked_s=self._room.booked_s(now) / outlook.num_places,
        )
        is_refused = verdict.outcome == "refuse" and not is_expected
        plan, cost, work = plans[verdict.offer], costs[verdict.offer], works[verdict.offer]
        return Admission(
            plan=plan,
            cost=cost,
            work=work,
            degraded_from=dict(given_up(plans[0], plan)) if verdict.offer else None,
            refusal=self._refusal(name, verdict, now) if is_refused else None,
        )

    def keep_room(self, name: str, admission: Admission, now: float) -> None:
        """The refusal was given: who comes back when it says is let in."""
        if admission.refusal is not None:
            self._room.book(name, admission.cost.solo_s, now + (admission.refusal.retry_after_s or 0.0))

    def _refusal(self, name: str, verdict: Verdict[Candidate], now: float) -> CineletError:
        """Says when to come back; one who comes too early is told the time it has."""
        kept = self._room.find(name)
        retry_s = min(LONGEST_RETRY_S, verdict.retry_after_s or 0.0) if kept is None else kept.at - now
        wait = f"about {verdict.wait_s:.0f} s of waiting"
        return RateLimitedError(f"queue: {wait} is too long for this clip; come back later", retry_after_s=math.ceil(max(1.0, retry_s)))


def _candidate(plan: Plan, cost: Cost, *, tier: Tier, tenant: str, now: float, deadline_s: float | None) -> Candidate:
    due_at = now + (promise_s(tier, cost.solo_s) if deadline_s is None else deadline_s)
    return Candidate(
        id="",
        tenant=tenant,
        tier=tier,
        state="available",
        created_at=now,
        due_at=due_at,
        work_s=cost.solo_s,
        left_s=cost.solo_s,
        attempt=0,
        shape=plan.shape,
    )
