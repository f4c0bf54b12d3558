"""Promises of tiers and standings of jobs."""

from __future__ import annotations

from math import nextafter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinelet.scheduling.work import PRESSING, RANKS, Standing, overdue_at, presses_at, promise_s, slack_s, standing
from tests.support.works import Job, slow_standing, waiting_jobs

SECONDS = st.floats(0.1, 10_000)


@given(SECONDS)
def test_a_better_tier_is_promised_more(solo_s: float) -> None:
    promises = [promise_s(tier, solo_s) for tier in RANKS]
    assert solo_s < promises[0] <= promises[1]
    assert promises[0] <= promises[2]
    assert promises[0] <= solo_s + 5.0


@given(waiting_jobs(), st.integers(0, 300))
def test_a_standing_is_what_the_words_say(job: Job, now: int) -> None:
    assert standing(job, now).name.lower() == slow_standing(job, now)


@given(SECONDS)
def test_a_vip_clip_with_its_promise_presses_at_once(solo_s: float) -> None:
    job = Job(arrived_at=1.7e9, solo_s=solo_s, due_at=1.7e9 + promise_s("vip", solo_s), rank=0)
    assert standing(job, 1.7e9) is Standing.PRESSING


def test_a_vip_clip_with_much_time_is_hopeful_until_it_presses_and_never_steps_aside() -> None:
    job = Job(solo_s=60.0, due_at=600.0, rank=0)
    assert standing(job, 0.0) is Standing.HOPEFUL
    at = presses_at(job, 0.0)
    assert at == 600 - 60 - PRESSING * 60
    assert standing(job, at) is Standing.PRESSING
    assert standing(job, 541.0) is standing(job, 1e6) is Standing.PRESSING


@pytest.mark.parametrize("rank", [1, 2])
def test_others_are_hopeful_then_late_then_overdue(rank: int) -> None:
    job = Job(arrived_at=100.0, solo_s=10.0, due_at=130.0, rank=rank)
    assert standing(job, 120.0) is Standing.HOPEFUL
    assert slack_s(job, 120.0) == 0
    assert standing(job, nextafter(120.0, 200.0)) is Standing.LATE
    assert standing(job, overdue_at(job)) is Standing.OVERDUE
