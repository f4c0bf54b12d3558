"""What a decision needs to know of a job, and what its tier was promised. Values only: nothing of rows, plans or devices."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from math import inf
from typing import Protocol

RANKS: Mapping[str, int] = {"vip": 0, "standard": 1, "free": 2}
"""Tiers, the best first."""
VIP = RANKS["vip"]

WAIT_SHARE: Mapping[str, float] = {"vip": 0.5, "standard": 2.0, "free": 4.0}
"""How long a tier may wait for its clip, in times of the clip's own work: a standard clip is there after three times its solo time."""
LONGEST_VIP_WAIT_S = 5.0
SHORTEST_FREE_WAIT_S = 30.0
PATIENCE = 11.0
"""A late job that has waited so many times its own work is overdue, and goes before almost all: nobody starves (decision 11)."""
PRESSING = 0.6
"""A clip of the best tier that could stand idle for less than so many times its own work presses; the tier's promise leaves less."""

MIN_STEPS_LEFT = 2
"""At the end of a step a clip makes room only while so many are left; after that it keeps its place to the end of its decode."""


class Standing(IntEnum):
    """How a waiting or running job stands to its deadline, the best to serve first.

    Everyone comes hopeful and can be in time. Who cannot be in time is late, and overdue when it has waited too long. Those of the
    best tier press as soon as they have little time to lose, and go on pressing when it is lost: their promise is not given up.
    """

    PRESSING = 0
    OVERDUE = 1
    HOPEFUL = 2
    LATE = 3


class Work(Protocol):
    """A job to a scheduler. Instants are seconds of any one clock; `solo_s` is its whole work alone on a free device.

    `due_at` is what the policy aims at: the client's deadline, or the tier's promise. `rank` is 0 for the best tier. Waiting or
    running alike; `left_at` tells what is left to do.
    """

    @property
    def id(self) -> str: ...  # noqa: D102 - the class docstring speaks for all

    @property
    def tenant(self) -> str: ...  # noqa: D102

    @property
    def rank(self) -> int: ...  # noqa: D102

    @property
    def arrived_at(self) -> float: ...  # noqa: D102

    @property
    def due_at(self) -> float: ...  # noqa: D102

    @property
    def solo_s(self) -> float: ...  # noqa: D102

    @property
    def step_s(self) -> float: ...  # noqa: D102

    def left_at(self, now: float) -> float:
        """Seconds of work that are left, alone on a free device."""

    def can_park(self, now: float) -> bool:
        """Whether a running job may make room: it took a step since it came to the device, and its next step is not its last."""


def promise_s(tier: str, solo_s: float) -> float:
    """Seconds from arrival to finished clip that `tier` was promised for a clip of `solo_s` seconds' work."""
    wait_s = WAIT_SHARE[tier] * solo_s
    if tier == "vip":
        wait_s = min(wait_s, LONGEST_VIP_WAIT_S)
    if tier == "free":
        wait_s = max(wait_s, SHORTEST_FREE_WAIT_S)
    return solo_s + wait_s


def slack_s(work: Work, now: float) -> float:
    """How long the job could still stand idle and be in time. Below zero it cannot be in time any more."""
    return work.due_at - now - work.left_at(now)


def presses_at(work: Work, now: float) -> float:
    """From when on a job that waits from now on presses; never, for all but the best tier."""
    return now + slack_s(work, now) - PRESSING * work.solo_s if work.rank == VIP else inf


def overdue_at(work: Work) -> float:
    """From when on a job that missed its deadline has waited too long."""
    return work.arrived_at + PATIENCE * work.solo_s


def standing(work: Work, now: float) -> Standing:
    """How `work` stands now."""
    return standing_with(slack_s(work, now), work, now)


def standing_with(slack: float, work: Work, now: float) -> Standing:
    """The same, where `slack_s` is known."""
    if work.rank == VIP:
        return Standing.PRESSING if slack <= PRESSING * work.solo_s else Standing.HOPEFUL
    if slack >= 0:
        return Standing.HOPEFUL
    return Standing.OVERDUE if now >= overdue_at(work) else Standing.LATE
