"""The machines of a simulated service: how many, how fast, how they fail. Values only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

from cinelet.errors import InvalidValueError
from cinelet.scheduling.batch import BatchLine
from cinelet.video import check_integer, check_number

MAX_DEVICES = 100_000
MAX_SLOTS = 64
MAX_SECONDS = 1e9
"""Bounds against slips, far above any fleet."""


def _alone() -> BatchLine:
    return BatchLine(1.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """The machines. Times in seconds. Raises `InvalidValueError` for a number out of range.

    `line` is what a step of n clips of one shape takes on a device that holds up to `slots` clips. `park_s` is lost at each park,
    `cold_start_s` at each change of model. `mtbf_s` is the mean time between deaths of one worker, exponentially distributed; it is back
    after `repair_s`, and its jobs go on from their last checkpoint once their lease is over. `hit_share` of the arrivals is answered
    from the result cache. `offers` are the lighter variants that a degraded clip may get, in shares of its work.
    """

    num_devices: int = 1
    slots: int = 1
    line: BatchLine = field(default_factory=_alone)
    park_s: float = 0.05
    cold_start_s: float = 0.0
    mtbf_s: float = inf
    repair_s: float = 60.0
    lease_s: float = 45.0
    checkpoint_every_s: float = 20.0
    hit_share: float = 0.0
    offers: Sequence[float] = (0.64, 0.32, 0.13)

    def __post_init__(self) -> None:
        check_integer("gpus", self.num_devices, 1, MAX_DEVICES)
        check_integer("slots", self.slots, 1, MAX_SLOTS)
        check_number("batch line, a", self.line.a, 0.0, MAX_SECONDS)
        check_number("batch line, b", self.line.b, 0.0, MAX_SECONDS)
        if self.line.seconds(1) <= 0:
            raise InvalidValueError("batch line", f"{self.line.a:g},{self.line.b:g}", "a step must take more than 0 seconds; a + b above 0")
        check_number("park", self.park_s, 0.0, MAX_SECONDS)
        check_number("cold start", self.cold_start_s, 0.0, MAX_SECONDS)
        check_number("mtbf", None if self.mtbf_s == inf else self.mtbf_s, 1.0, MAX_SECONDS)
        check_number("repair", self.repair_s, 0.0, MAX_SECONDS)
        check_number("lease", self.lease_s, 0.0, MAX_SECONDS)
        check_number("checkpoint", self.checkpoint_every_s, 0.1, MAX_SECONDS)
        check_number("hit share", self.hit_share, 0.0, 1.0)
        for share in self.offers:
            check_number("offers", share, 0.001, 1.0)

    @property
    def speedup(self) -> float:
        """How many clips a full device makes in the time of one: as many slots as pay, at their pace."""
        num = max(num for num in range(1, self.slots + 1) if self.line.pays(num))
        return num * self.line.seconds(1) / self.line.seconds(num)
