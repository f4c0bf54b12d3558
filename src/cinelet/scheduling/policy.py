"""Policies by name: in which line jobs wait, and whose place a waiting job may take. `cinelet` is what the service runs.

The others are what it is measured against: first come first served (every peer), earliest deadline, strict tiers, shortest
remaining work. Each works with and without preemption at step boundaries.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from cinelet.errors import InvalidValueError
from cinelet.scheduling.ledger import Ledger
from cinelet.scheduling.line import FAR_SHORTER, KeyLine, Line, PromiseLine, Turn, late_turn_of, turn_of
from cinelet.scheduling.work import Standing, Work, standing_with

W = TypeVar("W", bound=Work)
Price = tuple[int, float]

SHORTER = 2.0
"""A job with so many times less left to do does not wait until it is urgent, and an overdue one lets another overdue one give way."""
TIER_S = 1e12
"""Farther apart than any two instants: one key orders by tier first and by arrival within it."""


@dataclass(frozen=True)
class Decision(Generic[W]):
    """`start` goes to the device now; `park` makes room for it at its next step, where room was needed."""

    start: W
    park: W | None = None


class Policy(Protocol):
    """How jobs are ordered and who gives way."""

    @property
    def name(self) -> str:
        """By which it is chosen."""

    def line(self, ledger: Ledger) -> Line[W]:
        """A new, empty waiting line."""

    def turn(self, work: W, now: float, *, is_late: bool = False) -> Turn:
        """Where a job would stand in that line now, or once it is late: what is smaller goes first."""

    def victim(self, candidate: W, running: Iterable[W], ledger: Ledger, now: float) -> W | None:
        """Which of `running` gives its place to `candidate`; None: nobody."""


@dataclass(frozen=True)
class KeyPolicy:
    """The smallest key first; with preemption, the largest key gives way. `key_at` of a running job counts what is left of it."""

    name: str
    key_at: Callable[[Work, float], float]
    may_preempt: bool = False

    def line(self, ledger: Ledger) -> Line[W]:  # noqa: ARG002 - the port's signature
        """Ordered by the key."""
        return KeyLine(lambda work: self.key_at(work, 0.0))

    def turn(self, work: W, now: float, *, is_late: bool = False) -> Turn:  # noqa: ARG002 - the port's signature
        """The key."""
        return 0, self.key_at(work, now)

    def victim(self, candidate: W, running: Iterable[W], ledger: Ledger, now: float) -> W | None:  # noqa: ARG002
        """The largest key, if it is larger than the candidate's."""
        if not self.may_preempt:
            return None
        parkable = [work for work in running if work.can_park(now)]
        if not parkable:
            return None
        last = max(parkable, key=lambda work: self.key_at(work, now))
        return last if self.key_at(last, now) > self.key_at(candidate, now) else None


@dataclass(frozen=True)
class PromisePolicy:
    """Feasible first by deadline, the lost by what is left, nobody for ever: see `PromiseLine`."""

    name: str = "cinelet"
    may_preempt: bool = True

    def line(self, ledger: Ledger) -> Line[W]:
        """A line that keeps promises."""
        return PromiseLine(ledger)

    def turn(self, work: W, now: float, *, is_late: bool = False) -> Turn:
        """By standing, then by deadline or by what is left."""
        return late_turn_of(work, now) if is_late else turn_of(work, now)

    def victim(self, candidate: W, running: Iterable[W], ledger: Ledger, now: float) -> W | None:
        """Who loses the least by giving way: a late job, one with slack to spare, else one with far more left to do."""
        if not self.may_preempt:
            return None
        claim = _Claim(candidate, ledger, now)
        if claim.standing is Standing.LATE:
            return None
        lefts_s = [(work.left_at(now), work) for work in running]
        claim.is_urgent = claim.standing is Standing.PRESSING or claim.slack < min((left_s for left_s, _ in lefts_s), default=0.0)
        victim: W | None = None
        lowest: Price | None = None
        for left_s, work in lefts_s:
            price = claim.price(work, left_s)
            if price is not None and (lowest is None or price < lowest) and work.can_park(now):
                lowest, victim = price, work
        return victim


class _Claim:
    """What a waiting job may ask of a running one. `is_urgent`: waiting for the next place would make it late."""

    __slots__ = ("_left_s", "_may_displace_overdue", "_now", "is_urgent", "slack", "standing")

    def __init__(self, candidate: Work, ledger: Ledger, now: float) -> None:
        self._now = now
        self._left_s = candidate.left_at(now)
        self._may_displace_overdue = not ledger.owes_overdue()
        self.slack = candidate.due_at - now - self._left_s
        self.standing = standing_with(self.slack, candidate, now)
        self.is_urgent = False

    def price(self, work: Work, left_s: float) -> Price | None:
        """What it costs that `work`, with `left_s` left, waits: how bad, then the less the better; None where it is out of the question."""
        slack = work.due_at - self._now - left_s
        return self._price_of_hopeful(work, left_s, slack) if slack >= 0 else self._price_of_lost(work, left_s, slack)

    def _price_of_hopeful(self, work: Work, left_s: float, slack: float) -> Price | None:
        mine = self.standing
        if slack >= self._left_s + work.step_s:  # it would still be in time
            is_far_longer = left_s > SHORTER * self._left_s
            slack_then = self.slack - work.step_s  # room is made at the end of a step; theirs does not fall until then
            is_spared = (self.is_urgent and slack > self.slack) or (is_far_longer and slack > slack_then)
            if is_spared or mine is not Standing.HOPEFUL:
                return 1, -slack
        elif not self.is_urgent and mine is Standing.HOPEFUL:
            return None
        if standing_with(slack, work, self._now) is Standing.PRESSING:
            return None
        if mine is Standing.PRESSING:
            return 4, -float(work.rank)
        return (3, -left_s) if left_s > FAR_SHORTER * self._left_s and (self.is_urgent or mine is Standing.OVERDUE) else None

    def _price_of_lost(self, work: Work, left_s: float, slack: float) -> Price | None:
        theirs = standing_with(slack, work, self._now)
        if theirs is Standing.PRESSING:
            return None
        if theirs is Standing.LATE:
            return 0, -left_s
        if self.standing is Standing.OVERDUE:
            return (2, -left_s) if left_s > SHORTER * self._left_s else None
        asks = self.standing is Standing.PRESSING or (self.is_urgent and left_s > FAR_SHORTER * self._left_s)
        return (2, -left_s) if asks and self._may_displace_overdue else None


def decide(policy: Policy, line: Line[W], running: Collection[W], *, num_free: int, ledger: Ledger, now: float) -> Decision[W] | None:
    """The scheduler's one question: what changes now? Fills a free place, else lets the next one take a place, else nothing."""
    candidate = line.peek(now)
    if candidate is None:
        return None
    if num_free > 0:
        line.discard(candidate)
        return Decision(candidate)
    victim = policy.victim(candidate, running, ledger, now)
    if victim is None:
        return None
    line.discard(candidate)
    return Decision(candidate, park=victim)


def _arrival(work: Work, now: float) -> float:  # noqa: ARG001 - one shape for all keys
    return work.arrived_at


def _deadline(work: Work, now: float) -> float:  # noqa: ARG001
    return work.due_at


def _tier(work: Work, now: float) -> float:  # noqa: ARG001
    return work.rank * TIER_S + work.arrived_at


def _remaining(work: Work, now: float) -> float:
    return work.left_at(now)


KEYS: dict[str, Callable[[Work, float], float]] = {"fifo": _arrival, "edf": _deadline, "priority": _tier, "srpt": _remaining}
POLICIES: dict[str, Policy] = {
    **{name: KeyPolicy(name, key_at) for name, key_at in KEYS.items()},
    **{f"{name}+preempt": KeyPolicy(f"{name}+preempt", key_at, may_preempt=True) for name, key_at in KEYS.items()},
    "cinelet": PromisePolicy(),
    "cinelet+no-preempt": PromisePolicy("cinelet+no-preempt", may_preempt=False),
}
"""The name alone is an order as it is known; of ours, with preemption."""
ORDERS = (*KEYS, "cinelet")


def policy_named(name: str) -> Policy:
    """A policy by its name, such as `edf`, `edf+preempt` or `cinelet+no-preempt`. Raises `InvalidValueError`."""
    order, _, form = name.partition("+")
    default = "preempt" if order == "cinelet" else "no-preempt"
    policy = POLICIES.get(order if form == default else name)
    if policy is None:
        raise InvalidValueError("policy", name, f"must be one of {', '.join(ORDERS)}, each also with +preempt or +no-preempt")
    return policy
