"""Jobs for tests of the scheduler: a `Work` of plain numbers, strategies that draw them, and the order they stand in, told slowly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from hypothesis import strategies as st

NUMBERS = count()
PATIENCE = 11.0
PRESSING = 0.6
FAR_SHORTER = 1.2
"""The policy's constants, written down a second time: a change of them is a decision (docs/decisions/0011)."""


@dataclass(eq=False, kw_only=True)
class Job:
    """A waiting job, or with `since` one that runs since then."""

    arrived_at: float = 0.0
    solo_s: float = 60.0
    due_at: float = 180.0
    rank: int = 1
    tenant: str = "a"
    left_s: float | None = None
    step_s: float = 1.0
    since: float | None = None
    id: str = ""

    def __post_init__(self) -> None:
        self.id = self.id or f"job{next(NUMBERS)}"
        self.left_s = self.solo_s if self.left_s is None else self.left_s

    def left_at(self, now: float) -> float:
        return self.left_s - (max(0.0, now - self.since) if self.since is not None else 0.0)

    def can_park(self, now: float) -> bool:
        return self.since is not None and now - self.since >= self.step_s and self.left_at(now) >= 2 * self.step_s

    def __repr__(self) -> str:
        return f"{self.id}(rank {self.rank}, due {self.due_at:g}, left {self.left_s:g}, {self.tenant})"


def slow_standing(job: Job, now: float) -> str:
    """By the words of the decision, not by the code."""
    left = job.left_at(now)
    slack = job.due_at - now - left
    if job.rank == 0:
        return "pressing" if slack <= PRESSING * job.solo_s else "hopeful"
    if slack >= 0:
        return "hopeful"
    return "overdue" if now >= job.arrived_at + PATIENCE * job.solo_s else "late"


def slow_first(waiting: Sequence[Job], now: float) -> Job | None:
    """Who is next of one tenant's jobs, in the order in which they came where keys are equal."""

    def first(kind: str) -> Job | None:
        of_kind = [job for job in waiting if slow_standing(job, now) == kind]
        return min(of_kind, key=lambda job: job.due_at if kind in {"pressing", "hopeful"} else job.left_at(now), default=None)

    pressing, overdue, hopeful = first("pressing"), first("overdue"), first("hopeful")
    if pressing:
        return pressing
    if overdue and not (hopeful and overdue.left_at(now) > FAR_SHORTER * hopeful.left_at(now)):
        return overdue
    return hopeful or first("late")


@st.composite
def waiting_jobs(draw: st.DrawFn, tenants: Sequence[str] = ("a",)) -> Job:
    """Whole numbers, so that equal keys are common."""
    solo_s = draw(st.sampled_from([1.0, 2.0, 4.0, 8.0, 60.0]))
    arrived_at = float(draw(st.integers(0, 20)))
    return Job(
        arrived_at=arrived_at,
        solo_s=solo_s,
        left_s=draw(st.sampled_from([solo_s, solo_s / 2])),
        due_at=arrived_at + draw(st.integers(1, 200)) * 1.0,
        rank=draw(st.integers(0, 2)),
        tenant=draw(st.sampled_from(list(tenants))),
    )
