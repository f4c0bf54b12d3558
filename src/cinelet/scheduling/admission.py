"""Admission: quote a finish, then accept, degrade by permission, or refuse with a time to come back. Nobody waits without an answer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from cinelet.scheduling.ledger import Ledger
from cinelet.scheduling.line import Line
from cinelet.scheduling.policy import Policy
from cinelet.scheduling.work import Work

W = TypeVar("W", bound=Work)

LONGEST_WAIT = 20.0
"""In times of its own work: nobody is accepted to wait longer."""
MIN_WAIT_S = 60.0
"""Short clips may wait this long although it is many times their work."""
MIN_RETRY_S = 1.0
SURE = 1.5
"""A lighter clip is offered where it would be in time even if the wait were so many times as long: who gives up quality gets the time."""


@dataclass(frozen=True)
class Verdict(Generic[W]):
    """`offer` counts the rungs given up: 0 is what was asked for. A refusal has `retry_after_s`, and `wait_s` says what it spares."""

    outcome: Literal["accept", "degrade", "refuse"]
    wait_s: float
    offer: int = 0
    retry_after_s: float | None = None


def wait_of(
    candidate: W, ahead: Sequence[W], running: Collection[W], *, num_places: int, policy: Policy, ledger: Ledger, now: float
) -> float:
    """Seconds until `candidate` starts, where the waiting jobs `ahead` go before it; see `wait_behind`."""
    ahead_s = sum(work.left_at(now) for work in ahead)
    return wait_behind(candidate, ahead_s, running, num_places=num_places, policy=policy, ledger=ledger, now=now)


def wait_in(line: Line[W], candidate: W, running: Collection[W], *, num_places: int, policy: Policy, ledger: Ledger, now: float) -> float:
    """Seconds until `candidate` starts if it joins `line` now. One that would be late steps aside, and is quoted as one that does."""
    wait_s = 0.0
    for is_late in (False, True):
        ahead = line.ahead_of(candidate, now, is_late=is_late)
        wait_s = wait_of(candidate, ahead, running, num_places=num_places, policy=policy, ledger=ledger, now=now)
        if now + wait_s + candidate.left_at(now) <= candidate.due_at:
            break
    return wait_s


def wait_behind(
    candidate: W, ahead_s: float, running: Collection[W], *, num_places: int, policy: Policy, ledger: Ledger, now: float
) -> float:
    """Seconds until `candidate` starts: `ahead_s` of waiting work and what runs, spread over `num_places` devices.

    A running job that would give way counts as gone. Greedy list scheduling keeps all devices busy until the last start, so the
    mean of what lies before it is when it starts, to within one job's length.
    """
    before_s = [left for work in running if (left := _left_in_the_way(candidate, work, policy, ledger, now)) > 0]
    num_free = num_places - len(before_s)
    if ahead_s <= 0 and num_free > 0:
        return 0.0
    spread_s = (sum(before_s) + ahead_s) / num_places
    return spread_s if num_free > 0 else max(min(before_s), spread_s)


def admit(
    offers: Sequence[W],
    waits_s: Sequence[float],
    *,
    now: float,
    may_degrade: bool,
    is_firm: bool,
    max_wait_s: float = MIN_WAIT_S,
    booked_s: float = 0.0,
) -> Verdict[W]:
    """The verdict on `offers`, what was asked for first and then ever lighter ones, each with its predicted wait.

    Nobody who would be late is accepted to wait longer than `max_wait_s` or `LONGEST_WAIT` times its own work. `is_firm`: the client set
    the deadline, so a clip that would be late is refused; one that is in time may wait as long as its deadline lets it. `booked_s`
    is device time per place promised to those who were told to come back.
    """
    for number, (offer, wait_s) in enumerate(zip(offers, waits_s, strict=True)):
        if now + (SURE if number else 1.0) * wait_s + offer.solo_s <= offer.due_at:
            return Verdict("degrade" if number else "accept", wait_s, number)
        if not may_degrade:
            break
    asked, wait_s = offers[0], waits_s[0]
    longest_s = max(max_wait_s, LONGEST_WAIT * asked.solo_s)
    if is_firm:
        longest_s = min(longest_s, max(0.0, asked.due_at - now - asked.solo_s))
    if wait_s + booked_s <= longest_s and not is_firm:
        last = len(offers) - 1 if may_degrade else 0
        return Verdict("degrade" if last else "accept", waits_s[last], last)
    return Verdict("refuse", wait_s, retry_after_s=max(MIN_RETRY_S, wait_s + booked_s - longest_s))


def _left_in_the_way(candidate: W, work: W, policy: Policy, ledger: Ledger, now: float) -> float:
    return 0.0 if policy.victim(candidate, [work], ledger, now) is work else max(0.0, work.left_at(now))
