"""Whom a job may share a worker with. Pure: the waiting and the running in, those that may be considered out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol, TypeVar

ALONE_FROM_ATTEMPT = 2
"""A job that was there when two attempts ended badly runs by itself, so that it can hurt no other; see `jobs.leases`."""
LONGEST_SUSPICION_S = 30.0
"""For so long a suspect waits until a device is free by itself; then the device is emptied for it."""


class Tried(Protocol):
    """What is asked of a waiting or running job: when it came, and how many attempts were spent on it before now."""

    @property
    def created_at(self) -> float:
        """When it was accepted."""

    @property
    def attempt(self) -> int:
        """Attempts that were counted; a running job's own is among them."""


T = TypeVar("T", bound=Tried)


def may_start(waiting: Sequence[T], running: Collection[Tried], now: float) -> list[T]:
    """Those of `waiting` that may start beside `running`: suspects alone, and nobody beside a suspect."""
    if any(job.attempt > ALONE_FROM_ATTEMPT for job in running):
        return []
    suspects = [job for job in waiting if job.attempt >= ALONE_FROM_ATTEMPT]
    is_pressing = any(now - job.created_at > LONGEST_SUSPICION_S for job in suspects)
    if not running:
        return suspects[:1] if is_pressing else list(waiting)
    return [] if is_pressing else [job for job in waiting if job.attempt < ALONE_FROM_ATTEMPT]
