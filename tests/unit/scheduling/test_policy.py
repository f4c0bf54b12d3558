"""Who goes first and who gives way."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cinelet.errors import InvalidValueError
from cinelet.scheduling import POLICIES, Ledger, decide, policy_named, slack_s, standing
from cinelet.scheduling.policy import ORDERS
from cinelet.scheduling.work import Standing
from tests.support.works import Job, waiting_jobs

often = settings(max_examples=200, deadline=None)
NAMES = st.sampled_from(sorted(POLICIES))
OURS = policy_named("cinelet")


def running(job: Job, since: float) -> Job:
    job.since = since
    return job


RUNS = st.lists(st.builds(running, waiting_jobs(), st.floats(0, 200)), max_size=6)


@often
@given(waiting_jobs(), RUNS, st.integers(0, 300), NAMES)
def test_only_a_running_job_between_its_first_and_last_step_gives_way(job: Job, runs: Sequence[Job], now: int, name: str) -> None:
    victim = POLICIES[name].victim(job, runs, Ledger(), now)
    assert victim is None or (victim in runs and victim.can_park(now))
    if "no-preempt" in name or ("preempt" not in name and name != "cinelet"):
        assert victim is None


@often
@given(waiting_jobs(), RUNS, st.integers(0, 300))
def test_nobody_that_presses_gives_way_unless_it_stays_in_time(job: Job, runs: Sequence[Job], now: int) -> None:
    victim = OURS.victim(job, runs, Ledger(), now)
    if victim is not None and standing(victim, now) is Standing.PRESSING:
        assert slack_s(victim, now) >= job.left_at(now)


@often
@given(waiting_jobs(), RUNS, st.integers(0, 300))
def test_the_late_park_nobody(job: Job, runs: Sequence[Job], now: int) -> None:
    if standing(job, now) is Standing.LATE:
        assert OURS.victim(job, runs, Ledger(), now) is None


@often
@given(waiting_jobs(), RUNS, st.integers(0, 300))
def test_a_pressing_job_always_gets_the_place_of_a_parkable_one_that_does_not_press(job: Job, runs: Sequence[Job], now: int) -> None:
    if standing(job, now) is Standing.PRESSING:
        others = [run for run in runs if run.can_park(now) and standing(run, now) is not Standing.PRESSING]
        assert (OURS.victim(job, runs, Ledger(), now) is not None) or not others


@often
@given(st.lists(waiting_jobs(), max_size=8), RUNS, st.integers(0, 300), st.integers(0, 2), NAMES)
def test_a_free_place_is_filled_and_nobody_is_parked_for_it(
    jobs: Sequence[Job], runs: Sequence[Job], now: int, num_free: int, name: str
) -> None:
    policy, ledger = POLICIES[name], Ledger()
    line = policy.line(ledger)
    for job in jobs:
        line.push(job, job.arrived_at)
    first = line.peek(now)
    decision = decide(policy, line, runs, num_free=num_free, ledger=ledger, now=now)
    if num_free and jobs:
        assert decision is not None
        assert decision.park is None
    if decision is None:
        assert len(line) == len(jobs)
    else:
        assert decision.start is first
        assert len(line) == len(jobs) - 1
        assert (decision.park is None) == (num_free > 0)


def test_who_gives_way_is_who_loses_the_least() -> None:
    now = 100.0
    late = running(Job(solo_s=500.0, due_at=110.0), 0.0)
    spare = running(Job(solo_s=500.0, due_at=5000.0), 0.0)
    tight = running(Job(solo_s=500.0, due_at=510.0), 0.0)
    short = Job(arrived_at=now, solo_s=8.0, due_at=now + 32)
    assert OURS.victim(short, [tight, spare, late], Ledger(), now) is late
    assert OURS.victim(short, [tight, spare], Ledger(), now) is spare
    assert OURS.victim(short, [tight], Ledger(), now) is tight  # it is urgent, and far shorter: one late instead of the other
    assert OURS.victim(Job(arrived_at=now, solo_s=400.0, due_at=now + 410), [tight], Ledger(), now) is None


def test_a_far_shorter_job_does_not_wait_until_it_is_urgent() -> None:
    spare = running(Job(solo_s=500.0, due_at=5000.0), 0.0)
    assert OURS.victim(Job(solo_s=60.0, due_at=3000.0), [spare], Ledger(), 10.0) is spare
    assert OURS.victim(Job(solo_s=300.0, due_at=3000.0), [spare], Ledger(), 10.0) is None


def test_a_far_shorter_job_asks_for_the_end_of_the_step_when_its_own_slack_has_fallen_and_the_others_has_not() -> None:
    now = 100.0
    longer = running(Job(solo_s=500.0, due_at=now + 1100.0), 0.0)
    slack_s = longer.due_at - now - longer.left_at(now)
    assert OURS.victim(shorter(slack_s + 0.9 * longer.step_s, now), [longer], Ledger(), now) is longer
    assert OURS.victim(shorter(slack_s + 1.1 * longer.step_s, now), [longer], Ledger(), now) is None
    as_long = Job(arrived_at=now, solo_s=300.0, due_at=now + 300.0 + slack_s + 0.9 * longer.step_s)
    assert OURS.victim(as_long, [longer], Ledger(), now) is None


def shorter(slack_s: float, now: float) -> Job:
    return Job(arrived_at=now, solo_s=8.0, due_at=now + 8.0 + slack_s)


@pytest.mark.parametrize("order", ORDERS)
def test_each_order_has_both_forms_by_name(order: str) -> None:
    names = {policy_named(order).name, policy_named(f"{order}+preempt").name, policy_named(f"{order}+no-preempt").name}
    assert len(names) == 2


@pytest.mark.parametrize("name", ["", "lifo", "fifo+", "cinelet-no-preempt", "FIFO", "fifo+preempt+no-preempt"])
def test_another_name_is_refused_with_those_that_are_known(name: str) -> None:
    with pytest.raises(InvalidValueError, match=r"policy: .*fifo, edf, priority, srpt, cinelet"):
        policy_named(name)
