"""The last few of what was seen, by name: a mapping that forgets."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """Up to `limit` names with what belongs to them, the latest ones. Not safe across threads."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[Hashable, T] = OrderedDict()

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def get(self, name: Hashable) -> T | None:
        """What was kept under `name`, or None."""
        return self._entries.get(name)

    def keep(self, name: Hashable, entry: T) -> None:
        """Seen now; the one not seen for longest is forgotten where there are too many."""
        self._entries[name] = entry
        self._entries.move_to_end(name)
        if len(self._entries) > self._limit:
            self._entries.popitem(last=False)

    def discard(self, name: Hashable) -> None:
        """Not seen after all."""
        self._entries.pop(name, None)
