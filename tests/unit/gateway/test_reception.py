"""Admission at the desk: accept with a quote, serve less by permission, refuse with a time that works."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinelet.errors import InvalidValueError, RateLimitedError
from cinelet.gateway.quoter import Quoter, quote
from cinelet.gateway.reception import Admission, Reception
from cinelet.jobs import Candidate
from cinelet.scheduling import Cost, Outlook, policy_named
from cinelet.scheduling.admission import LONGEST_WAIT
from cinelet.scheduling.degrade import ladder
from cinelet.video import Plan
from tests.support.world import PLAN

NOW = 1000.0
ASKED = replace(PLAN, num_inference_steps=20)


class Prices:
    """A second a step, whatever the size."""

    overhead_s = 0.0

    def price(self, plan: Plan) -> Cost:
        return Cost(0.0, 1.0, 0.0, plan.num_inference_steps)


def backlog(seconds: float, tier: Any = "vip") -> Outlook[Candidate]:
    """One running job of the best tier that gives way to nobody, so long."""
    running = Candidate(
        id="r", tenant="bob", tier=tier, state="running", created_at=0.0, due_at=0.0, work_s=seconds, left_s=seconds, attempt=1, shape=""
    )
    return Outlook([], [running] if seconds else [], num_places=1, policy=policy_named("cinelet"), now=NOW)


def receive(
    reception: Reception,
    outlook: Outlook[Candidate],
    *,
    now: float = NOW,
    name: str = "ann",
    may_degrade: bool = False,
    keeps_room: bool = True,
    **what: Any,
) -> Admission:
    plans = [ASKED, *(ladder(ASKED, draft_steps=5, size_multiple=16) if may_degrade else [])]
    admission = reception.receive(
        plans, outlook, **{"tier": "standard", "tenant": "ann", "name": name, "deadline_s": None, "now": now, **what}
    )
    if admission.refusal is not None and keeps_room:
        reception.keep_room(name, admission, now)
    return admission


@pytest.fixture
def reception() -> Reception:
    return Reception(cast("Quoter", Prices()), max_wait_s=30.0)


def test_on_an_idle_device_what_was_asked_for_is_served_at_once(reception: Reception) -> None:
    admission = receive(reception, backlog(0.0), may_degrade=True)
    assert (admission.plan, admission.cost.solo_s, admission.degraded_from, admission.refusal) == (ASKED, 20.0, None, None)
    assert admission.work.due_at == NOW + 60.0


def test_what_would_be_late_is_served_lighter_by_permission(reception: Reception) -> None:
    assert receive(reception, backlog(8.0), deadline_s=25.0).refusal is not None
    admission = receive(reception, backlog(8.0), deadline_s=25.0, may_degrade=True)
    assert (admission.plan.num_inference_steps, admission.degraded_from, admission.refusal) == (5, {"num_inference_steps": 20}, None)


def test_a_deadline_beyond_any_device_is_the_clients_mistake(reception: Reception) -> None:
    with pytest.raises(InvalidValueError, match="deadline_s"):
        receive(reception, backlog(0.0), deadline_s=10.0)


def test_without_a_deadline_one_waits_up_to_the_bound_and_not_longer(reception: Reception) -> None:
    bound_s = LONGEST_WAIT * 20.0
    assert receive(reception, backlog(bound_s - 1)).refusal is None
    refusal = receive(reception, backlog(bound_s + 50)).refusal
    assert isinstance(refusal, RateLimitedError)
    assert refusal.retry_after_s == 50


def test_who_comes_back_when_told_is_let_in_and_the_next_newcomer_is_told_a_later_time(reception: Reception) -> None:
    crowd = backlog(LONGEST_WAIT * 20.0 + 50)
    first, second = (receive(reception, crowd, name=name).refusal for name in ("ann", "bob"))
    assert first is not None
    assert second is not None
    assert (second.retry_after_s or 0) > (first.retry_after_s or 0)
    back_at = NOW + (first.retry_after_s or 0)
    assert receive(reception, crowd, name="ann", now=NOW + 1).refusal is not None  # too early
    assert receive(reception, crowd, name="ann", now=back_at).refusal is None
    assert receive(reception, crowd, name="ann", now=back_at).refusal is not None  # once


def test_a_refusal_that_was_not_given_and_an_estimate_keep_no_room(reception: Reception) -> None:
    crowd = backlog(LONGEST_WAIT * 20.0 + 50)
    first = receive(reception, crowd, name="ann", keeps_room=False).refusal
    second = receive(reception, crowd, name="bob", keeps_room=False).refusal
    assert first is not None
    assert second is not None
    assert second.retry_after_s == first.retry_after_s == 50


def test_room_is_used_up_by_who_comes_to_an_empty_queue_too(reception: Reception) -> None:
    crowd = backlog(LONGEST_WAIT * 20.0 + 50)
    told = receive(reception, crowd, name="ann").refusal
    assert told is not None
    assert receive(reception, backlog(0.0), name="ann", now=NOW + 50).refusal is None
    later = receive(reception, crowd, name="bob", now=NOW).refusal
    assert later is not None
    assert later.retry_after_s == told.retry_after_s


@given(st.floats(0, 2000), st.sampled_from(["free", "standard", "vip"]), st.booleans(), st.none() | st.floats(20.0, 500.0))
def test_everyone_gets_one_answer(wait_s: float, tier: str, may_degrade: bool, deadline_s: float | None) -> None:
    reception = Reception(cast("Quoter", Prices()), max_wait_s=30.0)
    admission = receive(reception, backlog(wait_s), tier=tier, may_degrade=may_degrade, deadline_s=deadline_s)
    if admission.refusal is not None:
        assert (admission.refusal.retry_after_s or 0) >= 1
    else:
        told = quote(admission.work, backlog(wait_s), NOW, 0.0)
        is_in_time = NOW + told.eta_s <= admission.work.due_at
        assert is_in_time or told.wait_s <= LONGEST_WAIT * 20.0
        assert deadline_s is None or told.wait_s + told.work_s <= deadline_s + 1e-6
    assert (admission.degraded_from is not None) == (admission.plan != ASKED)
    assert may_degrade or admission.plan == ASKED
