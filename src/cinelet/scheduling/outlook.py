"""The waiting line as numbers, taken at one moment: what goes before a newcomer, and when it would start. Asked often, built seldom."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Hashable, Iterator, Sequence
from itertools import accumulate
from typing import Generic, TypeVar

from cinelet.scheduling.admission import wait_behind
from cinelet.scheduling.foresight import play_forward
from cinelet.scheduling.ledger import Ledger
from cinelet.scheduling.line import Turn
from cinelet.scheduling.policy import Policy
from cinelet.scheduling.work import RANKS, Work, slack_s

W = TypeVar("W", bound=Work)
Entry = tuple[Turn, float]
"""Where one stands, and its seconds."""
Summed = tuple[list[Entry], list[float]]
"""The line, and the seconds before each of its places and behind the last."""
OVERTAKEN = {RANKS["vip"]: 1.0, RANKS["standard"]: 1.1, RANKS["free"]: 1.3}
"""How many times as long as the line says a tier waits, by rank: better placed ones come later and go first (decision 11)."""
FORESEEN = 128
"""A line of at most so many is played forward for a quote, which takes about a millisecond; a longer one is only summed up."""


class Outlook(Generic[W]):
    """What waits and runs on `num_places` devices at `now`, first those that are on the devices, then those that are parked.

    Threads may ask while another adds: the line is replaced as a whole. One that stands in both, since it was begun while they were read,
    runs.

    Of a long line only a part may be listed; `beyond` are the number and the seconds of the others, which count as standing last.
    `between_s` passes on a device from one clip to the next; only short lines, which are played forward, count it in.
    """

    def __init__(
        self,
        waiting: Collection[W],
        running: Sequence[W],
        *,
        num_places: int,
        policy: Policy,
        now: float,
        beyond: tuple[int, float] = (0, 0.0),
        between_s: float = 0.0,
    ) -> None:
        self.now = now
        self.running = running
        self.num_places = max(1, num_places)
        self._policy = policy
        self._ledger = Ledger()
        self._beyond = beyond
        self._between_s = between_s
        begun = {work.id for work in running}
        self._waiting = [work for work in waiting if work.id not in begun]
        self._ids = begun | {work.id for work in waiting}
        self._told: dict[Hashable, float] = {}
        self._line = _replaced(([], [0.0]), 0, sorted(map(self._entry, self._waiting)))

    def ahead_of(self, work: W, *, is_late: bool = False) -> tuple[int, float]:
        """How many waiting jobs go before `work`, or would once it is late, and their seconds."""
        entries, before_s = self._line
        place = bisect_left(entries, (self._policy.turn(work, self.now, is_late=is_late), 0.0))
        num, seconds = place, before_s[place]
        if place == len(entries):
            num, seconds = num + self._beyond[0], seconds + self._beyond[1]
        return num, seconds

    def wait_s(self, work: W) -> float:
        """When `work` would start, counted from when the line was read, if nobody else comes.

        All who wait are told by one playing, and equal newcomers the same, until somebody joins.
        """
        if len(self._waiting) > FORESEEN or self._beyond[0]:
            return self.wait_in_place_s(work)
        told = self._told
        waiting = self._waiting  # read once, and after `told`: another thread may replace both
        if work.id in told:
            return told[work.id]
        if any(other.id == work.id for other in waiting):
            for other, start_s in self._play(waiting, self.running):
                told.setdefault(other.id, start_s)  # who makes room later starts twice
            return told[work.id]
        key = (work.id, work.tenant, work.rank, work.solo_s, work.left_at(self.now), work.due_at - work.arrived_at)
        if key not in told:
            running = [other for other in self.running if other.id != work.id]
            told[key] = next(start_s for other, start_s in self._play([*waiting, work], running) if other.id == work.id)
        return told[key]

    def expected_wait_s(self, work: W, now: float) -> float:
        """The same counted from `now`, with those counted in who will come and go first. Who can be in time is not told a later time than
        its deadline."""
        wait_s = max(0.0, self.wait_s(work) - (now - self.now))
        return max(wait_s, min(OVERTAKEN[work.rank] * wait_s, slack_s(work, now)))

    def _play(self, waiting: Sequence[W], running: Sequence[W]) -> Iterator[tuple[W, float]]:
        return play_forward(waiting, running, num_places=self.num_places, policy=self._policy, now=self.now, between_s=self._between_s)

    def wait_in_place_s(self, work: W) -> float:
        """The same from what stands before it alone; one that would be late steps aside. Admission asks this one.

        Under overload a newcomer may start soon because others before it are given up; whoever lets it in for that gives up more.
        """
        running = [other for other in self.running if other.id != work.id]
        wait_s = 0.0
        for is_late in (False, True):
            ahead_s = self.ahead_of(work, is_late=is_late)[1]
            wait_s = wait_behind(work, ahead_s, running, num_places=self.num_places, policy=self._policy, ledger=self._ledger, now=self.now)
            if self.now + wait_s + work.left_at(self.now) <= work.due_at:
                break
        return wait_s

    def add(self, work: W) -> None:
        """Somebody joined since, if it is not there already: those who ask next stand behind it."""
        if work.id in self._ids:
            return
        self._ids = {*self._ids, work.id}
        self._waiting, self._told = [*self._waiting, work], {}
        entry = self._entry(work)
        place = bisect_left(self._line[0], entry)
        self._line = _replaced(self._line, place, [entry, *self._line[0][place:]])

    def remove(self, work: W) -> None:
        """Somebody did not join after all."""
        if work.id not in self._ids:
            return
        self._ids = self._ids - {work.id}
        self._waiting, self._told = [other for other in self._waiting if other.id != work.id], {}
        entry = self._entry(work)
        place = bisect_left(self._line[0], entry)
        if self._line[0][place : place + 1] == [entry]:
            self._line = _replaced(self._line, place, self._line[0][place + 1 :])

    def _entry(self, work: W) -> Entry:
        return self._policy.turn(work, self.now), work.left_at(self.now)


def _replaced(line: Summed, place: int, entries: list[Entry]) -> Summed:
    """`line` with `entries` from `place` on. Most who come stand near its end, so little is summed up again."""
    old, before_s = line
    return old[:place] + entries, before_s[:place] + list(accumulate((left for _, left in entries), initial=before_s[place]))
