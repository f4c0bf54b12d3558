"""Planted faults in the policy, the line, the quote and the simulator: each must turn at least one check red.

A green check proves something only if a broken policy turns it red. Every fault below is one that a careless change could bring.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from math import inf
from typing import Any

import pytest

from cinelet.capacity import simulator
from cinelet.capacity.sim_job import SimJob
from cinelet.scheduling import admission, line, policy, work
from cinelet.scheduling.ledger import Ledger
from cinelet.scheduling.line import PromiseLine
from cinelet.scheduling.work import Standing
from tests.support.policy_checks import CHECKS

Patch = pytest.MonkeyPatch


def no_ageing(patch: Patch) -> None:
    patch.setattr(work, "overdue_at", lambda job: inf)
    patch.setattr(line, "overdue_at", lambda job: inf)


def the_wrong_tier_is_the_best(patch: Patch) -> None:
    patch.setattr(work, "VIP", 2)
    patch.setattr(line, "VIP", 2)


def the_best_tier_waits_in_turn(patch: Patch) -> None:
    patch.setattr(work, "PRESSING", -1.0)


def the_late_go_first(patch: Patch) -> None:
    peek = PromiseLine.peek

    def broken(self: PromiseLine[Any], now: float) -> Any:
        return self._first(Standing.LATE, now) or peek(self, now)

    patch.setattr(PromiseLine, "peek", broken)


def the_late_do_not_step_aside(patch: Patch) -> None:
    patch.setattr(line, "standing", lambda job, now: Standing.HOPEFUL)
    patch.setattr(line._Queue, "_move_on", lambda self, now: None)


def parks_without_a_look_at_slack(patch: Patch) -> None:
    patch.setattr(policy._Claim, "_price_of_hopeful", lambda self, job, left_s, slack: (1, -slack))


def never_parks(patch: Patch) -> None:
    patch.setattr(policy._Claim, "price", lambda self, job, left_s: None)


def claims_twice(patch: Patch) -> None:
    decide, numbers = simulator.decide, count(1)

    def broken(policy: Any, waiting: Any, running: Any, **settings: Any) -> Any:
        decision = decide(policy, waiting, running, **settings)
        if decision is not None and next(numbers) % 50 == 0:
            waiting.push(decision.start, settings["now"])
        return decision

    patch.setattr(simulator, "decide", broken)


def a_wake_up_is_lost(patch: Patch) -> None:
    decide, numbers = simulator.decide, count(1)

    def broken(policy: Any, waiting: Any, running: Any, **settings: Any) -> Any:
        if settings["num_free"] and next(numbers) % 20 == 0:
            return None
        return decide(policy, waiting, running, **settings)

    patch.setattr(simulator, "decide", broken)


def the_quote_forgets_what_runs(patch: Patch) -> None:
    patch.setattr(admission, "_left_in_the_way", lambda candidate, job, policy, ledger, now: 0.0)


def the_quote_counts_whole_jobs(patch: Patch) -> None:
    patch.setattr(admission, "_left_in_the_way", lambda candidate, job, policy, ledger, now: job.solo_s)


def shares_of_tenants_are_ignored(patch: Patch) -> None:
    patch.setattr(Ledger, "had_much", lambda self, tenant, num_tenants: False)


def the_share_of_the_overdue_is_ignored(patch: Patch) -> None:
    patch.setattr(Ledger, "owes_overdue", lambda self: False)


def a_parked_job_begins_anew(patch: Patch) -> None:
    def broken(self: SimJob, at: float) -> None:
        if self.left_at(at) > 1e-6:
            self.left_s = self.solo_s
        self.since = None

    patch.setattr(SimJob, "leave", broken)


def anybody_is_parked_for_anybody(patch: Patch) -> None:
    patch.setattr(policy.PromisePolicy, "victim", lambda self, candidate, running, ledger, now: next(iter(running), None))


FAULTS: list[Callable[[Patch], None]] = [
    no_ageing,
    the_wrong_tier_is_the_best,
    the_best_tier_waits_in_turn,
    the_late_go_first,
    the_late_do_not_step_aside,
    parks_without_a_look_at_slack,
    never_parks,
    claims_twice,
    a_wake_up_is_lost,
    the_quote_forgets_what_runs,
    the_quote_counts_whole_jobs,
    shares_of_tenants_are_ignored,
    the_share_of_the_overdue_is_ignored,
    a_parked_job_begins_anew,
    anybody_is_parked_for_anybody,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_our_policy_passes(check: Callable[[], None]) -> None:
    check()


@pytest.mark.parametrize("plant", FAULTS, ids=lambda plant: plant.__name__)
def test_a_planted_fault_is_caught(plant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    plant(monkeypatch)
    caught = []
    for check in CHECKS:
        try:
            check()
        except (AssertionError, KeyError, ValueError) as error:  # a job in two places also breaks the simulator's books
            caught.append(f"{check.__name__}: {error!s:.60}")
    assert caught, f"{plant.__name__} went unnoticed"
