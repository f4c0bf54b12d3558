"""Whose turn it is when the two experts of an A14B model cannot lie on the device together: many steps by one, a swap, many by the other.

A swap moves some 28 GB in bfloat16, so a group with members in both phases must not swap at each step. Knows nothing of memory or clips.
"""

from __future__ import annotations

from collections.abc import Collection

MAX_WAIT_STEPS = 16
"""Steps that clips of the other phase wait for while new ones keep coming to this one; a swap then costs a few percent of them."""


class Phases:
    """Chooses the expert of the next step. Not thread-safe; one for an engine."""

    def __init__(self, max_wait_steps: int = MAX_WAIT_STEPS) -> None:
        self.max_wait_steps = max_wait_steps
        self._waited = 0

    def turn(self, resident: int | None, wanted: Collection[int]) -> int:
        """The resident expert while somebody wants it, unless others have waited `max_wait_steps` steps. `wanted` is not empty."""
        others = [expert for expert in wanted if expert != resident]
        if resident is None or resident not in wanted or (others and self._waited >= self.max_wait_steps):
            self._waited = 0
            return min(others)
        self._waited = self._waited + 1 if others else 0
        return resident
