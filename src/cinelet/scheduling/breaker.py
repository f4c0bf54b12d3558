"""A circuit breaker: what failed several times in a row is left alone for a while, then tried once. One for each model and device."""

from __future__ import annotations

MAX_FAILURES = 3
"""Of different jobs: one bad job that ends an engine three times says nothing of the device."""
FIRST_REST_S = 5.0
LONGEST_REST_S = 300.0


class Breaker:
    """Closed while things go well. `now` is any clock that never goes back."""

    def __init__(self) -> None:
        self._failed: set[str] = set()
        self._opened_at = float("-inf")
        self._rest_s = 0.0

    def failed(self, name: str, now: float) -> None:
        """The device failed with the job `name`; after some of these it rests, each time twice as long."""
        self._failed.add(name)
        if len(self._failed) >= MAX_FAILURES:
            self._opened_at = now
            self._rest_s = min(LONGEST_REST_S, 2 * self._rest_s) if self._rest_s else FIRST_REST_S

    def succeeded(self) -> None:
        """It works: all is forgotten."""
        self._failed.clear()
        self._rest_s = 0.0

    @property
    def is_on_trial(self) -> bool:
        """Whether the next attempt decides: only one may be made."""
        return self._rest_s > 0

    def rests_s(self, now: float) -> float:
        """How long it must still be left alone; 0 where it may be tried."""
        return max(0.0, self._opened_at + self._rest_s - now)
