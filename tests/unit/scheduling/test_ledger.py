"""What the scheduler remembers: shares of tenants and of overdue jobs."""

from __future__ import annotations

import pytest

from cinelet.scheduling import Ledger
from cinelet.scheduling.ledger import AGE_SHARE, FADES_IN_S


def test_nobody_owes_anything_at_the_beginning() -> None:
    ledger = Ledger()
    assert not ledger.owes_overdue()
    assert not ledger.had_much("a", 2)


def test_a_tenant_alone_never_had_too_much() -> None:
    ledger = Ledger()
    ledger.note("a", 1e6, 0.0, was_overdue=False, some_overdue=False)
    assert not ledger.had_much("a", 1)
    assert ledger.had_much("a", 2)
    assert not ledger.had_much("b", 2)


@pytest.mark.parametrize(("overdue_s", "owes"), [(0.0, True), (9.0, True), (11.0, False)])
def test_overdue_jobs_are_owed_their_share_of_contested_time(overdue_s: float, owes: bool) -> None:
    ledger = Ledger()
    ledger.note("a", overdue_s, 0.0, was_overdue=True, some_overdue=True)
    ledger.note("a", 100.0 - overdue_s, 0.0, was_overdue=False, some_overdue=True)
    assert ledger.owes_overdue() is owes
    assert AGE_SHARE == 0.1


def test_time_without_overdue_jobs_is_not_contested() -> None:
    ledger = Ledger()
    ledger.note("a", 1000.0, 0.0, was_overdue=False, some_overdue=False)
    assert not ledger.owes_overdue()


def test_what_was_long_ago_counts_little() -> None:
    ledger = Ledger()
    ledger.note("a", 1000.0, 0.0, was_overdue=False, some_overdue=False)
    later = 10 * FADES_IN_S
    ledger.note("b", 10.0, later, was_overdue=False, some_overdue=False)
    assert not ledger.had_much("a", 2)
    assert ledger.had_much("b", 2)
