"""Waiting jobs in the order of a policy. Incremental, so that a million of them cost what they must: a few heap moves a job."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from itertools import count
from math import inf, nextafter
from typing import Generic, Protocol, TypeVar

from cinelet.scheduling.ledger import Ledger
from cinelet.scheduling.work import VIP, Standing, Work, overdue_at, presses_at, slack_s, standing

W = TypeVar("W", bound=Work)
Entry = tuple[float, int, W]
Turn = tuple[int, float]
"""What kind of job, then its key among its kind."""
FAR_SHORTER = 1.2
"""A hopeful job goes before an overdue one that has more than so many times its work left: it costs the other little."""


def turn_of(work: Work, now: float) -> Turn:
    """Where a job stands among those that keep promises, by standing and key; see `PromiseLine` for the exceptions of a moment."""
    kind = standing(work, now)
    return kind, work.left_at(now) if kind in {Standing.OVERDUE, Standing.LATE} else work.due_at


def late_turn_of(work: Work, now: float) -> Turn:
    """Where it will stand when it cannot be in time any more; the best tier presses on."""
    return turn_of(work, now) if work.rank == VIP else (Standing.LATE, work.left_at(now))


class Line(Protocol[W]):
    """A waiting line. `now` never goes back between calls."""

    def push(self, work: W, now: float) -> None:
        """Let a job wait; one that was parked comes with less left to do."""

    def peek(self, now: float) -> W | None:
        """Who is next; None where nobody waits."""

    def pop(self, now: float) -> W:
        """Take who is next. Raises `IndexError` where nobody waits."""

    def discard(self, work: W) -> None:
        """Take a job out, wherever it stands."""

    def ahead_of(self, work: W, now: float, *, is_late: bool = False) -> list[W]:
        """Who would go before `work` if it came now, in any order; with `is_late` before it as one that will miss its deadline."""

    def has_overdue(self, now: float) -> bool:
        """Whether somebody has waited too long, in an order that knows of it."""

    def __len__(self) -> int:
        """How many wait."""


class KeyLine(Generic[W]):
    """The smallest key first; what never changes while a job waits."""

    def __init__(self, key: Callable[[W], float]) -> None:
        self._key = key
        self._heap: list[Entry[W]] = []
        self._present: dict[str, int] = {}
        self._numbers = count()

    def push(self, work: W, now: float) -> None:  # noqa: ARG002 - the port's signature
        """Let a job wait."""
        number = next(self._numbers)
        self._present[work.id] = number
        heappush(self._heap, (self._key(work), number, work))

    def peek(self, now: float) -> W | None:  # noqa: ARG002
        """Who is next."""
        while self._heap and self._present.get(self._heap[0][2].id) != self._heap[0][1]:
            heappop(self._heap)
        return self._heap[0][2] if self._heap else None

    def pop(self, now: float) -> W:
        """Take who is next."""
        work = self.peek(now)
        if work is None:
            raise IndexError("nobody waits")
        self.discard(work)
        return work

    def discard(self, work: W) -> None:
        """Take a job out."""
        self._present.pop(work.id, None)

    def ahead_of(self, work: W, now: float, *, is_late: bool = False) -> list[W]:  # noqa: ARG002
        """All with a key that is no larger."""
        mine = self._key(work)
        return [other for key, number, other in self._heap if key <= mine and self._present.get(other.id) == number]

    def has_overdue(self, now: float) -> bool:  # noqa: ARG002
        """This order knows of nobody."""
        return False

    def __len__(self) -> int:
        return len(self._present)


class PromiseLine(Generic[W]):
    """Feasible first: who can still be in time, by deadline; then who cannot, the shortest first; who waited too long in between.

    Plain earliest-deadline-first serves the lost before the living and falls like dominoes under a burst; here a job that cannot be
    in time steps aside. Those that stepped aside go by what is left of them, which frees the most waiters a second, and are pulled
    forward once they are overdue, though not before a hopeful one that is far shorter, unless overdue ones had less than their share.
    Tenants that had much lately stand behind the others of their standing.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._queues: dict[str, _Queue[W]] = {}
        self._tenant_of: dict[str, str] = {}

    def push(self, work: W, now: float) -> None:
        """Let a job wait."""
        queue = self._queues.get(work.tenant)
        if queue is None:
            queue = self._queues[work.tenant] = _Queue()
        self._tenant_of[work.id] = work.tenant
        queue.push(work, now)

    def peek(self, now: float) -> W | None:
        """Who is next."""
        overdue = self._first(Standing.OVERDUE, now)
        if overdue is not None and self._ledger.owes_overdue():
            return overdue
        pressing = self._first(Standing.PRESSING, now)
        if pressing is not None:
            return pressing
        hopeful = self._first(Standing.HOPEFUL, now)
        if overdue is not None and (hopeful is None or overdue.left_at(now) <= FAR_SHORTER * hopeful.left_at(now)):
            return overdue
        return hopeful if hopeful is not None else self._first(Standing.LATE, now)

    def pop(self, now: float) -> W:
        """Take who is next."""
        work = self.peek(now)
        if work is None:
            raise IndexError("nobody waits")
        self.discard(work)
        return work

    def discard(self, work: W) -> None:
        """Take a job out."""
        tenant = self._tenant_of.pop(work.id, None)
        if tenant is not None:
            queue = self._queues[tenant]
            queue.discard(work)
            if not queue:
                del self._queues[tenant]

    def ahead_of(self, work: W, now: float, *, is_late: bool = False) -> list[W]:
        """By standing and key; whom the ledger puts first or last for a moment is left out."""
        mine = late_turn_of(work, now) if is_late else turn_of(work, now)
        return [other for queue in self._queues.values() for turn, other in queue.entries(now) if turn <= mine and other.id != work.id]

    def has_overdue(self, now: float) -> bool:
        """Whether somebody has waited too long."""
        return self._first(Standing.OVERDUE, now) is not None

    def __len__(self) -> int:
        return len(self._tenant_of)

    def _first(self, kind: Standing, now: float) -> W | None:
        """The first of a standing."""
        queues = self._queues
        if len(queues) == 1:
            for queue in queues.values():
                entry = queue.head(kind, now)
                return None if entry is None else entry[2]
        best: tuple[bool, float, W] | None = None
        for tenant, queue in queues.items():
            entry = queue.head(kind, now)
            if entry is not None:
                had_much = self._ledger.had_much(tenant, len(queues))
                if best is None or (had_much, entry[0]) < best[:2]:
                    best = (had_much, entry[0], entry[2])
        return None if best is None else best[2]


class _Queue(Generic[W]):
    """One tenant's waiting jobs, by standing. A job moves on as time passes, and never back."""

    def __init__(self) -> None:
        self._number_of: dict[str, int] = {}
        self._standing_of: dict[str, Standing] = {}
        self._numbers = count()
        self._heaps: tuple[list[Entry[W]], ...] = tuple([] for _ in Standing)  # the hopeful by deadline, the lost by what is left
        self._moves: list[tuple[float, int, Standing, W]] = []  # by the instant at which a job takes another standing

    def push(self, work: W, now: float) -> None:
        number = self._number_of[work.id] = next(self._numbers)
        self._stand(standing(work, now), work, number, now)

    def discard(self, work: W) -> None:
        del self._number_of[work.id]
        del self._standing_of[work.id]

    def head(self, kind: Standing, now: float) -> Entry[W] | None:
        """The first of a standing; those that stand elsewhere by now are taken off on the way."""
        if self._moves and self._moves[0][0] <= now:
            self._move_on(now)
        heap = self._heaps[kind]
        while heap and not self._is(heap[0][2], heap[0][1], kind):
            heappop(heap)
        return heap[0] if heap else None

    def entries(self, now: float) -> Iterator[tuple[Turn, W]]:
        """All that wait, with their turns."""
        self._move_on(now)
        for kind, heap in zip(Standing, self._heaps, strict=True):
            yield from (((kind, key), work) for key, number, work in heap if self._is(work, number, kind))

    def __len__(self) -> int:
        return len(self._number_of)

    def _stand(self, kind: Standing, work: W, number: int, now: float) -> None:
        """Take a standing, and note when the next one comes."""
        self._standing_of[work.id] = kind
        is_lost = kind in {Standing.LATE, Standing.OVERDUE}
        heappush(self._heaps[kind], (work.left_at(now) if is_lost else work.due_at, number, work))
        if kind is Standing.HOPEFUL and work.rank == VIP:
            heappush(self._moves, (presses_at(work, now), number, Standing.PRESSING, work))
        elif kind is Standing.HOPEFUL:
            heappush(self._moves, (nextafter(now + slack_s(work, now), inf), number, Standing.LATE, work))
        elif kind is Standing.LATE:
            heappush(self._moves, (overdue_at(work), number, Standing.OVERDUE, work))

    def _move_on(self, now: float) -> None:
        """Those whose time has come take their next standing."""
        moves = self._moves
        while moves and moves[0][0] <= now:
            _, number, kind, work = heappop(moves)
            if self._number_of.get(work.id) == number:
                self._stand(kind, work, number, now)

    def _is(self, work: W, number: int, kind: Standing) -> bool:
        return self._number_of.get(work.id) == number and self._standing_of[work.id] is kind
