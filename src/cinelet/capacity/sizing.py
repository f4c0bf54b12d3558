"""How many devices a goal needs: a search over the simulator, where every fleet meets the same load and the same chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil

from cinelet.capacity.bill import Bill, bill_of
from cinelet.capacity.contender import Contender
from cinelet.capacity.fleet import MAX_DEVICES, Fleet
from cinelet.capacity.simulation import play
from cinelet.capacity.trace import MAX_DEADLINE_S
from cinelet.capacity.workload import Workload
from cinelet.errors import InvalidValueError
from cinelet.video import check_integer, check_number

CURVE = (0.7, 0.85, 1.15, 1.3, 1.6, 2.0)
"""Fleets beside the answer that are played for the curve, in times of it."""


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What is wanted: a share of jobs in time, or a 95th percentile of latency; one of them. Raises `InvalidValueError`."""

    slo_attainment: float | None = None
    p95_s: float | None = None

    def __post_init__(self) -> None:
        if (self.slo_attainment is None) == (self.p95_s is None):
            raise InvalidValueError("goal", "", "give --slo or --p95, one of them")
        check_number("slo", self.slo_attainment, 0.01, 1.0)
        check_number("p95", self.p95_s, 0.001, MAX_DEADLINE_S)

    def is_met(self, bill: Bill) -> bool:
        """Whether a fleet does it."""
        if self.slo_attainment is not None:
            return bill.slo_attainment >= self.slo_attainment
        return bill.p95_s is not None and self.p95_s is not None and bill.p95_s <= self.p95_s


class Sizing:
    """Plays `workload` on fleets of any size; each size once."""

    def __init__(self, workload: Workload, fleet: Fleet, contender: Contender, *, price_an_hour: float, seed: int = 0) -> None:
        check_number("gpu-price", price_an_hour, 0.0, 1e6)
        self._workload = workload
        self._fleet = fleet
        self._contender = contender
        self._price_an_hour = price_an_hour
        self._seed = seed
        self._bills: dict[int, Bill] = {}

    def bill(self, num_devices: int) -> Bill:
        """What the load costs, and gets, on so many devices."""
        if num_devices not in self._bills:
            tally = play(self._workload, replace(self._fleet, num_devices=num_devices), self._contender, self._seed)
            self._bills[num_devices] = bill_of(tally, num_devices, self._price_an_hour)
        return self._bills[num_devices]

    def fewest(self, goal: Goal, *, max_devices: int) -> int | None:
        """The fewest devices that meet `goal`; None where `max_devices` do not. The last one fewer was tried, and missed it."""
        check_integer("max-gpus", max_devices, 1, MAX_DEVICES)
        return fewest(lambda num: goal.is_met(self.bill(num)), first=self._first_guess(max_devices), most=max_devices)

    def curve(self, around: int, max_devices: int) -> list[Bill]:
        """Bills of fleets below and above `around`, and of all that were played, by size."""
        for share in CURVE:
            self.bill(min(max_devices, max(1, round(share * around))))
        return [self._bills[num] for num in sorted(self._bills)]

    def _first_guess(self, max_devices: int) -> int:
        """As many as the work takes if nobody ever waited."""
        return min(max_devices, max(1, ceil(self._workload.work_s / max(1.0, self._workload.duration_s))))


def fewest(is_enough: Callable[[int], bool], *, first: int, most: int) -> int | None:
    """The smallest number from 1 to `most` that is enough, where more never hurts: steps that double from `first`, then bisection."""
    low, high = 0, first
    while not is_enough(high):
        if high >= most:
            return None
        low, high = high, min(most, 2 * high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high
