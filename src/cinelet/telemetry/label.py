"""One label of a metric, with a closed set of values. Nothing of Prometheus.

Every combination of label values is a series that a monitoring server keeps for weeks. So a value outside the set counts as
`other`: no id, prompt, path or name that a caller made up can add series.
"""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock

OTHER = "other"
MAX_VALUE_CHARS = 100
"""Routes and names of models are shorter; what is longer was not made by us."""


class Label:
    """The values a label may take: `values`, and the first `room` others that come, for sets that only a running process knows."""

    def __init__(self, name: str, values: Iterable[str] = (), *, room: int = 0) -> None:
        self.name = name
        self.values = tuple(values)
        self.room = room
        self._known = set(self.values)
        self._lock = Lock()

    def settle(self, value: str) -> str:
        """`value` if it is in the set or there is room for it, else `other`."""
        if value in self._known:
            return value
        with self._lock:
            if len(value) > MAX_VALUE_CHARS or len(self._known) >= len(self.values) + self.room:
                return OTHER
            self._known.add(value)
        return value
