"""What became of one request of a load. Nothing of how it was sent, nothing of statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cinelet.capacity.trace import Arrival

Outcome = Literal["open", "completed", "failed", "refused", "timed_out", "unreachable"]
OUTCOMES: tuple[Outcome, ...] = ("completed", "failed", "refused", "timed_out", "unreachable", "open")
SHORTEST_S = 1e-3
"""No rate and no error is told of a shorter time: clocks and networks are not that exact."""


@dataclass(slots=True, kw_only=True)
class Sample:
    """One request, written while it lives. Instants are seconds since the start of the run, None where it did not come that far.

    `sent_s` is when the request got its connection, `looked_s` the last look that found it unfinished, `ended_s` when its end was seen:
    it really ended between the two. `open` is what was still under way when the run was stopped. `eta_s` is what the service quoted on
    acceptance, `num_refusals` how often it said 429.
    """

    number: int
    arrival: Arrival
    sent_s: float | None = None
    accepted_s: float | None = None
    looked_s: float | None = None
    ended_s: float | None = None
    outcome: Outcome = "open"
    job_id: str = ""
    reason: str = ""
    eta_s: float | None = None
    is_cached: bool = False
    num_refusals: int = 0
    retry_after_s: float | None = None

    @property
    def intended_s(self) -> float:
        """When it was to be sent."""
        return self.arrival.arrival_s

    @property
    def lag_s(self) -> float | None:
        """How late the sender was: our fault, not the service's. A request that never got a connection was late to its end."""
        left_s = self.ended_s if self.sent_s is None else self.sent_s
        return None if left_s is None else max(0.0, left_s - self.intended_s)

    @property
    def latency_s(self) -> float | None:
        """From the intended instant to the end: what a client that came then would have waited."""
        return None if self.ended_s is None else self.ended_s - self.intended_s

    @property
    def naive_latency_s(self) -> float | None:
        """From the actual send to the end: what a load generator that waits its turn would report."""
        return None if self.ended_s is None or self.sent_s is None else self.ended_s - self.sent_s

    @property
    def is_in_time(self) -> bool | None:
        """Whether it completed within its deadline; None without one, or while it is open."""
        if self.arrival.deadline_s is None or self.outcome == "open":
            return None
        return self.outcome == "completed" and self.latency_s is not None and self.latency_s <= self.arrival.deadline_s

    @property
    def eta_error(self) -> float | None:
        """(quoted - real) / real time from acceptance to completion; None where nothing was quoted or nothing was made."""
        if self.eta_s is None or self.outcome != "completed" or self.is_cached or self.accepted_s is None or self.ended_s is None:
            return None
        real_s = self.ended_s - self.accepted_s
        return (self.eta_s - real_s) / real_s if real_s >= SHORTEST_S else None
