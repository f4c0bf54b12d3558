"""What a scheduler remembers between decisions: whom the device served lately. Fades, so that nothing is owed for ever."""

from __future__ import annotations

from collections import defaultdict
from math import exp

FADES_IN_S = 600.0
"""Device seconds lose weight with this time constant."""
AGE_SHARE = 0.1
"""Of the device time, what overdue jobs get even against the best tier."""
FAIR_FACTOR = 1.5
"""A tenant that had more than so many times its equal share lately lets the others go first."""


class Ledger:
    """Device seconds by tenant, and of overdue jobs against all while some are overdue."""

    def __init__(self) -> None:
        self._by_tenant: defaultdict[str, float] = defaultdict(float)
        self._served_s = 0.0
        self._overdue_s = 0.0
        self._contested_s = 0.0
        self._faded_at = 0.0

    def note(self, tenant: str, seconds: float, now: float, *, was_overdue: bool, some_overdue: bool) -> None:
        """A job of `tenant` had the device for `seconds`."""
        self._fade(now)
        self._by_tenant[tenant] += seconds
        self._served_s += seconds
        if some_overdue or was_overdue:
            self._contested_s += seconds
            self._overdue_s += seconds * was_overdue

    def owes_overdue(self) -> bool:
        """Whether overdue jobs had less than their share."""
        return self._overdue_s < AGE_SHARE * self._contested_s

    def had_much(self, tenant: str, num_tenants: int) -> bool:
        """Whether `tenant` had more than its share, where `num_tenants` want the device."""
        return num_tenants > 1 and self._by_tenant[tenant] > FAIR_FACTOR * self._served_s / num_tenants

    def _fade(self, now: float) -> None:
        passed_s = now - self._faded_at
        if passed_s < FADES_IN_S / 100:
            return
        self._faded_at = now
        kept = exp(-passed_s / FADES_IN_S)
        self._served_s *= kept
        self._overdue_s *= kept
        self._contested_s *= kept
        for tenant in self._by_tenant:
            self._by_tenant[tenant] *= kept
