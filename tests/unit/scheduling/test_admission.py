"""Quotes and verdicts: nobody waits without an answer, and a refusal says when to come back."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from cinelet.scheduling import Ledger, admit, policy_named, wait_of
from cinelet.scheduling.admission import LONGEST_WAIT, MIN_WAIT_S, SURE, wait_in
from tests.support.works import Job, waiting_jobs

often = settings(max_examples=200, deadline=None)
WAITS = st.lists(st.floats(0, 5000), min_size=1, max_size=4)


def offers_of(job: Job, num: int) -> list[Job]:
    return [Job(arrived_at=job.arrived_at, due_at=job.due_at, solo_s=job.solo_s / (1 + n)) for n in range(num)]


@often
@given(waiting_jobs(), WAITS, st.booleans(), st.booleans(), st.floats(0, 100))
def test_nobody_is_accepted_to_wait_too_long_or_degraded_unasked(
    job: Job, waits_s: Sequence[float], may_degrade: bool, is_firm: bool, booked_s: float
) -> None:
    now = job.arrived_at
    offers = offers_of(job, len(waits_s))
    verdict = admit(offers, waits_s, now=now, may_degrade=may_degrade, is_firm=is_firm, booked_s=booked_s)
    if verdict.outcome == "refuse":
        assert verdict.retry_after_s >= 1.0
        return
    assert (verdict.outcome == "degrade") == (verdict.offer > 0)
    assert may_degrade or verdict.offer == 0
    served = offers[verdict.offer]
    is_in_time = now + waits_s[verdict.offer] + served.solo_s <= served.due_at
    assert is_in_time or not is_firm
    assert is_in_time or waits_s[0] <= max(MIN_WAIT_S, LONGEST_WAIT * job.solo_s)


@often
@given(waiting_jobs(), st.floats(0, 5000), st.booleans())
def test_who_comes_back_as_told_is_let_in_where_nothing_else_came(job: Job, wait_s: float, is_firm: bool) -> None:
    now = job.arrived_at
    job.due_at = max(job.due_at, now + job.solo_s + 1)
    first = admit([job], [wait_s], now=now, may_degrade=False, is_firm=is_firm)
    if first.outcome == "refuse":
        later = now + first.retry_after_s + 1e-6
        job.due_at += later - now  # a deadline counts from the arrival
        assert admit([job], [max(0.0, wait_s - (later - now))], now=later, may_degrade=False, is_firm=is_firm).outcome == "accept"


def test_the_first_rung_that_is_surely_in_time_is_served() -> None:
    job = Job(due_at=100.0, solo_s=60.0)
    offers = offers_of(job, 3)  # 60, 30, 20 seconds
    assert admit(offers, [40.0, 40.0, 40.0], now=0.0, may_degrade=True, is_firm=False).offer == 0
    assert admit(offers, [45.0, 45.0, 45.0], now=0.0, may_degrade=True, is_firm=False).offer == 1
    nearly = 70.0 / SURE
    assert admit(offers, [nearly + 1] * 3, now=0.0, may_degrade=True, is_firm=False).offer == 2


def test_running_work_counts_but_not_what_gives_way() -> None:
    now, ledger = 100.0, Ledger()
    late = Job(solo_s=500.0, due_at=1.0, since=0.0)
    job = Job(arrived_at=now, solo_s=8.0, due_at=now + 32)
    settings = {"num_places": 1, "ledger": ledger, "now": now}
    assert wait_of(job, [], [late], policy=policy_named("cinelet"), **settings) == 0.0
    assert wait_of(job, [], [late], policy=policy_named("fifo"), **settings) == 400.0
    assert wait_of(job, [Job(solo_s=10.0)], [late], policy=policy_named("cinelet"), **settings) == 10.0


def test_who_would_be_late_is_quoted_behind_those_it_steps_aside_for() -> None:
    policy, ledger = policy_named("cinelet"), Ledger()
    line = policy.line(ledger)
    for due_at in (130.0, 400.0, 500.0):
        line.push(Job(due_at=due_at, solo_s=60.0), 0.0)
    settings = {"num_places": 1, "policy": policy, "ledger": ledger, "now": 0.0}
    assert wait_in(line, Job(due_at=390.0, solo_s=60.0), [], **settings) == 60.0
    assert wait_in(line, Job(due_at=100.0, solo_s=60.0), [Job(solo_s=50.0, due_at=55.0, since=0.0)], **settings) == 230.0


@often
@given(st.lists(waiting_jobs(), max_size=8), st.integers(1, 8))
def test_a_wait_never_falls_when_more_stand_before(jobs: Sequence[Job], num_places: int) -> None:
    candidate = Job()
    waits = [
        wait_of(candidate, jobs[:num], [], num_places=num_places, policy=policy_named("fifo"), ledger=Ledger(), now=0.0)
        for num in range(len(jobs) + 1)
    ]
    assert waits == sorted(waits)
    assert waits[0] == 0.0
