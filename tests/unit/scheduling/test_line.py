"""Waiting lines hold everybody once, in the order of the slow, obvious model, whatever is pushed, taken out and waited for."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cinelet.scheduling import POLICIES, Ledger
from cinelet.scheduling.line import KeyLine, PromiseLine
from tests.support.works import Job, slow_first, slow_standing, waiting_jobs

often = settings(max_examples=150, deadline=None)
MOVES = st.lists(st.tuples(st.sampled_from(["push", "push", "pop", "discard", "wait"]), st.integers(0, 60), waiting_jobs()), max_size=40)


@often
@given(MOVES)
def test_a_line_of_promises_is_in_the_order_of_the_words(moves: Sequence[tuple[str, int, Job]]) -> None:
    line: PromiseLine[Job] = PromiseLine(Ledger())
    waiting: list[Job] = []
    now = 0.0
    for move, number, job in moves:
        if move == "push":
            job.arrived_at, job.due_at = job.arrived_at + now, job.due_at + now
            line.push(job, now)
            waiting.append(job)
        elif move == "wait":
            now += number
        elif waiting and move == "pop":
            expected = slow_first(waiting, now)
            assert line.peek(now) is expected
            assert line.pop(now) is expected
            waiting.remove(expected)
        elif waiting:
            line.discard(waiting.pop(number % len(waiting)))
        assert len(line) == len(waiting)
        assert line.has_overdue(now) is any(slow_standing(other, now) == "overdue" for other in waiting)
        assert {id(other) for other in line.ahead_of(Job(due_at=-1e9, solo_s=1e9), now)} == {id(other) for other in waiting}
    while waiting:
        expected = slow_first(waiting, now)
        assert line.pop(now) is expected
        waiting.remove(expected)
    assert line.peek(now) is None
    with pytest.raises(IndexError):
        line.pop(now)


@often
@given(st.lists(waiting_jobs(), max_size=30), st.sets(st.integers(0, 29)))
def test_a_line_of_keys_is_a_sort(jobs: Sequence[Job], leaving: set[int]) -> None:
    line: KeyLine[Job] = KeyLine(lambda job: job.due_at)
    for job in jobs:
        line.push(job, 0.0)
    for number in leaving:
        if number < len(jobs):
            line.discard(jobs[number])
            line.discard(jobs[number])
    left = [job for number, job in enumerate(jobs) if number not in leaving]
    assert [line.pop(0.0) for _ in range(len(line))] == sorted(left, key=lambda job: job.due_at)
    assert line.peek(0.0) is None


@often
@given(st.lists(waiting_jobs(tenants="abc"), max_size=25), st.integers(0, 400), st.sampled_from(sorted(POLICIES)))
def test_nobody_is_lost_or_doubled_and_a_look_changes_nothing(jobs: Sequence[Job], now: int, name: str) -> None:
    line = POLICIES[name].line(Ledger())
    for job in jobs:
        line.push(job, job.arrived_at)
    taken = []
    while (first := line.peek(now)) is not None:
        assert line.peek(now) is first
        taken.append(line.pop(now))
        assert taken[-1] is first
    assert {id(job) for job in taken} == {id(job) for job in jobs}
    assert len(taken) == len(jobs)
    assert len(line) == 0


def test_a_parked_job_comes_back_with_what_is_left() -> None:
    line: PromiseLine[Job] = PromiseLine(Ledger())
    job = Job(solo_s=60.0, due_at=100.0)
    line.push(job, 0.0)
    line.pop(0.0)
    job.left_s = 5.0
    line.push(job, 90.0)
    assert line.peek(95.0) is job
    assert slow_standing(job, 95.0) == "hopeful"
    assert not line.has_overdue(95.0)


def test_a_tenant_that_had_much_stands_behind_another_of_its_standing_only() -> None:
    ledger = Ledger()
    ledger.note("much", 100.0, 0.0, was_overdue=False, some_overdue=False)
    line: PromiseLine[Job] = PromiseLine(ledger)
    much, little = Job(tenant="much", due_at=100.0), Job(tenant="little", due_at=500.0)
    late = Job(tenant="little", due_at=10.0)
    for job in (much, little, late):
        line.push(job, 0.0)
    assert [line.pop(0.0) for _ in range(3)] == [little, much, late]
