"""Arrivals as jobs of the simulator: how much work each is, and by when it is due. Nothing of who goes first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cinelet.capacity.pricing import Pricing
from cinelet.capacity.sim_job import SimJob
from cinelet.capacity.trace import MAX_SERVICE_S, Arrival
from cinelet.errors import InvalidValueError, RequestError
from cinelet.scheduling.work import RANKS, promise_s
from cinelet.video import check_number

DEFAULT_STEPS = 25
"""Where an arrival does not say: so often a job may give way."""
MIN_SERVICE_S = 1e-6
FARTHEST_OFF = 1000.0
"""A prediction that is off by a larger factor is a slip, such as milliseconds for seconds."""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What arrives, sorted by time.

    The work of an arrival is what it says itself, else what `pricing` says of its shape, else `service_s`; the scheduler goes by what is
    predicted of it, where the arrival says that. A deadline that is not given is what the tier was promised. Raises `RequestError` for an
    arrival whose work nobody knows, or was predicted beyond all error.
    """

    arrivals: Sequence[Arrival]
    service_s: float | None = None
    pricing: Pricing | None = None

    def __post_init__(self) -> None:
        check_number("service", self.service_s, MIN_SERVICE_S, MAX_SERVICE_S)
        if self.service_s is None and self.pricing is None:
            for number, arrival in enumerate(self.arrivals, 1):
                if arrival.service_s is None:
                    ways = "give it service_s, or say --service SECONDS or --profile FILE for all that lack it"
                    raise RequestError(f"service: arrival {number} does not say how long it takes alone; {ways}")
        for number, arrival in enumerate(self.arrivals, 1):
            if arrival.predicted_s is not None:
                work_s = self.solo_s_of(arrival)
                if not work_s / FARTHEST_OFF <= arrival.predicted_s <= work_s * FARTHEST_OFF:
                    limit = f"must be a thousandth to a thousand times its work, {work_s:g} s"
                    raise InvalidValueError(f"arrival {number}, predicted_s", arrival.predicted_s, limit)

    def jobs(self) -> Iterator[SimJob]:
        """Fresh jobs, one an arrival; each run needs its own."""
        for number, arrival in enumerate(self.arrivals):
            work_s, decode_s, num_steps = self._cost_of(arrival)
            solo_s = work_s if arrival.predicted_s is None else arrival.predicted_s
            speed = solo_s / work_s
            deadline_s = promise_s(arrival.tier, solo_s) if arrival.deadline_s is None else arrival.deadline_s
            yield SimJob(
                number,
                arrived_at=arrival.arrival_s,
                due_at=arrival.arrival_s + deadline_s,
                solo_s=solo_s,
                step_s=speed * (work_s - decode_s) / num_steps,
                decode_s=speed * decode_s,
                speed=speed,
                rank=RANKS[arrival.tier],
                model=arrival.model or "",
                shape=(arrival.width, arrival.height, arrival.num_frames),
            )

    def solo_s_of(self, arrival: Arrival) -> float:
        """Seconds of work, alone on a free device."""
        return self._cost_of(arrival)[0]

    @property
    def work_s(self) -> float:
        """Device seconds of all arrivals together."""
        return sum(map(self.solo_s_of, self.arrivals))

    @property
    def duration_s(self) -> float:
        """From the start to the last arrival."""
        return self.arrivals[-1].arrival_s if self.arrivals else 0.0

    def _cost_of(self, arrival: Arrival) -> tuple[float, float, int]:
        """Seconds of the whole and of its decode, and steps."""
        if arrival.service_s is None and self.pricing is not None:
            cost = self.pricing.cost_of(arrival)
            return cost.solo_s, cost.decode_s, cost.num_steps
        solo_s = self.service_s if arrival.service_s is None else arrival.service_s
        if solo_s is None:
            raise RequestError("service: an arrival does not say how long it takes alone")
        return solo_s, (arrival.decode_share or 0.0) * solo_s, arrival.num_inference_steps or DEFAULT_STEPS
