"""The last few of what was seen: a set that forgets."""

from __future__ import annotations

from collections import OrderedDict


class Recent:
    """Up to `limit` names, the latest ones. Not safe across threads."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._names: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def add(self, name: str) -> None:
        """Seen now; the one not seen for longest is forgotten where there are too many."""
        self._names[name] = None
        self._names.move_to_end(name)
        if len(self._names) > self._limit:
            self._names.popitem(last=False)

    def discard(self, name: str) -> None:
        """Not seen after all."""
        self._names.pop(name, None)
