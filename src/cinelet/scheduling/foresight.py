"""The waiting line played forward: who starts when, if nobody else comes.

A place in line is not a time: those before it may become late and step aside, and so may it. Asking the policy again at each end of a
clip knows that. Clips are taken as whole: who runs from now on is not parked any more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import TypeVar

from cinelet.scheduling.ledger import Ledger
from cinelet.scheduling.line import Line
from cinelet.scheduling.policy import Policy, decide
from cinelet.scheduling.work import Work

W = TypeVar("W", bound=Work)


def play_forward(
    waiting: Collection[W], running: Sequence[W], *, num_places: int, policy: Policy, now: float, between_s: float = 0.0
) -> Iterator[tuple[W, float]]:
    """Each waiting job, and how many seconds after `now` it starts, in the order of their starts; nobody starts before it has come.

    `between_s` passes on a device from the end of one to the start of the next. Of more running jobs than places the last ones are parked:
    they wait too.
    """
    ledger = Ledger()
    line: Line[W] = policy.line(ledger)
    runs = list(running[:num_places])
    for work in (*waiting, *running[num_places:]):
        line.push(work, now)
    ends: list[float] = []
    while decision := decide(policy, line, runs, num_free=num_places - len(runs) - len(ends), ledger=ledger, now=now):
        if decision.park is not None:
            runs.remove(decision.park)
            line.push(decision.park, now)
        start_at = max(now, decision.start.arrived_at)
        yield decision.start, start_at - now
        ends.append(start_at + decision.start.left_at(now) + between_s)
    ends += [now + max(0.0, work.left_at(now)) + between_s for work in runs]
    heapify(ends)
    while len(line):
        free_at = heappop(ends)
        work = line.pop(free_at)
        start_at = max(free_at, work.arrived_at)
        yield work, start_at - now
        heappush(ends, start_at + work.left_at(now) + between_s)


def gaps_s(stays: Iterable[tuple[float, float, float]]) -> list[float]:
    """What passed on one device from the end of a clip's own seconds to the start of the next, where that had waited for it.

    `stays` are (came, began, device seconds). Who began before another's end took its place: nothing passed between those.
    """
    found = []
    for (_, began_at, device_s), (came_at, next_at, _) in pairwise(sorted(stays, key=lambda stay: stay[1])):
        end_at = began_at + device_s
        if came_at <= end_at <= next_at:
            found.append(next_at - end_at)
    return found
