"""Those who were sent away with a time to come back. Who comes then is let in: the room was kept for it.

Without this, a refused client that waits as it was told meets newcomers who took its place. Bounded, in memory, one a gateway: a
booking lost with its gateway is one more refusal.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush

KEPT_S = 60.0
"""How long after its time a booking is kept."""
MAX_BOOKINGS = 10_000
"""Beyond, the one whose time comes first is forgotten."""
EARLY_S = 1.0
"""Clocks and Retry-After are rounded: who comes this much early is not early."""


@dataclass(frozen=True)
class Booking:
    """`work_s` device seconds promised from `at` on."""

    at: float
    work_s: float


class WaitingRoom:
    """Bookings by who asked for what."""

    def __init__(self) -> None:
        self._bookings: dict[str, Booking] = {}
        self._times: list[tuple[float, str]] = []
        self._booked_s = 0.0

    def book(self, name: str, work_s: float, at: float) -> Booking:
        """Keep room for `name`; one who comes too early keeps the time it has."""
        booking = self._bookings.get(name)
        if booking is None:
            booking = self._bookings[name] = Booking(at, work_s)
            self._booked_s += work_s
            heappush(self._times, (at, name))
            while len(self._bookings) > MAX_BOOKINGS:
                self._forget_first()
        return booking

    def find(self, name: str) -> Booking | None:
        """The room that is kept for `name`."""
        return self._bookings.get(name)

    def redeem(self, name: str, now: float) -> bool:
        """Whether `name` comes at its time; its booking is used up then."""
        booking = self._bookings.get(name)
        if booking is None or now < booking.at - EARLY_S:
            return False
        self._take_off(name)
        return now <= booking.at + KEPT_S

    def booked_s(self, now: float) -> float:
        """Device seconds that are promised and not yet asked for."""
        while self._times and now > self._times[0][0] + KEPT_S:
            self._forget_first()
        return self._booked_s if self._bookings else 0.0

    def _forget_first(self) -> None:
        at, name = heappop(self._times)
        booking = self._bookings.get(name)
        if booking is not None and booking.at == at:
            self._take_off(name)

    def _take_off(self, name: str) -> None:
        self._booked_s -= self._bookings.pop(name).work_s
