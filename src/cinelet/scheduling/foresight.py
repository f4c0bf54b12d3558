"""The waiting line played forward: who starts when, if nobody else comes.

A place in line is not a time: those before it may become late and step aside, and so may it. Asking the policy again at each end of a
clip knows that. Who makes room is asked at the first moment, and when one comes who was not there yet; after that clips are whole. A step
is under way then, of which half is left as far as anybody knows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from heapq import heapify, heappop, heappush
from itertools import count, pairwise
from math import inf
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
    ends: list[tuple[float, int, W]] = []
    """When each device gets free, and of whom."""
    numbers = count()

    def begin(work: W, at: float) -> None:
        heappush(ends, (at + max(0.0, work.left_at(now)) + between_s, next(numbers), work))

    def serve(until: float) -> Iterator[tuple[W, float]]:
        """Who is next takes each place that gets free before `until`."""
        while ends and ends[0][0] <= until:
            free_at = heappop(ends)[0]
            if len(line):
                work = line.pop(free_at)
                yield work, free_at - now
                begin(work, free_at)

    for work in running[:num_places]:
        begin(work, now)
    later = sorted((work for work in waiting if work.arrived_at > now), key=lambda work: work.arrived_at)
    there = [*(work for work in waiting if work.arrived_at <= now), *running[num_places:]]
    for at, coming in [(now, there), *((work.arrived_at, [work]) for work in later)]:
        yield from serve(at)
        for work in coming:
            line.push(work, at)
        runs = [work for *_, work in ends]
        while decision := decide(policy, line, runs, num_free=num_places - len(ends), ledger=ledger, now=at):
            start_at = at
            if decision.park is not None:
                start_at += decision.park.step_s / 2  # room is made at the end of a step
                runs.remove(decision.park)
                ends = [end for end in ends if end[2] is not decision.park]
                heapify(ends)
                line.push(decision.park, at)
            yield decision.start, start_at - now
            begin(decision.start, start_at)
    while len(line):
        yield from serve(ends[0][0])


def gaps_s(stays: Iterable[tuple[float, float, float, float]]) -> list[float]:
    """What passed on one device from the end of a clip's own seconds to the start of the next, where that had waited for it.

    `stays` are (came, began, device seconds, gone). Who began before another's end took its place: nothing passed between those. Nor does
    it tell anything while one that began earlier is there: it was parked, and may have had the device in between.
    """
    found = []
    all_gone_at = -inf
    for (_, began_at, device_s, gone_at), (came_at, next_at, *_) in pairwise(sorted(stays, key=lambda stay: stay[1])):
        end_at = began_at + device_s
        if max(came_at, all_gone_at) <= end_at <= next_at:
            found.append(next_at - end_at)
        all_gone_at = max(all_gone_at, gone_at)
    return found


def usual_s(seen_s: Collection[float]) -> float:
    """The lower quartile, for what others can only make longer: who had the device in between and is not finished yet, who was waited for
    without being seen."""
    return sorted(seen_s)[len(seen_s) // 4]
