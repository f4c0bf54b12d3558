"""How a worker spends its time: how often it saves, shows and tells, and how long a step may take before the device counts as hung."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from statistics import median

FIRST_STEP_TIMEOUT_S = 900.0
"""The first steps may compile."""
NUM_FIRST_STEPS = 3
SLOWEST_STEP_FACTOR = 10
"""A step that takes ten times the usual is a hung device."""
MIN_STEP_TIMEOUT_S = 30.0
NUM_REMEMBERED_STEPS = 50


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How often a worker saves, shows and tells. At most `slots` jobs run at once, in the order of `policy`; `grace_s` is what a stop
    waits for jobs to finish."""

    slots: int = 1
    policy: str = "cinelet"
    checkpoint_every_s: float = 20.0
    preview_every_s: float = 1.0
    beat_every_s: float = 0.5
    grace_s: float = 10.0


class StepTimes:
    """The seconds of the latest steps."""

    def __init__(self) -> None:
        self._times_s: deque[float] = deque(maxlen=NUM_REMEMBERED_STEPS)

    def add(self, seconds: float) -> None:
        """A step took so long."""
        self._times_s.append(seconds)

    @property
    def usual_s(self) -> float:
        """The median; 0 before the first."""
        return median(self._times_s) if self._times_s else 0.0

    @property
    def timeout_s(self) -> float:
        """After which a step is given up."""
        if len(self._times_s) < NUM_FIRST_STEPS:
            return FIRST_STEP_TIMEOUT_S
        return max(MIN_STEP_TIMEOUT_S, SLOWEST_STEP_FACTOR * self.usual_s)
