"""Discrete events over any number of devices, decided by the production scheduler on a clock that jumps.

Nothing here decides who goes first: `scheduling.decide` and `scheduling.admit` do, as in the service. What is modelled: steps and
their boundaries, the cost of a park, batches by their line `a·n + b`, cold starts at a change of model, workers that die and come
back, hits of the result cache, predictions that are wrong where the trace says so. What is not: the network and encoding of files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from heapq import heappop, heappush
from itertools import count
from math import inf
from random import Random
from typing import Any

from cinelet.capacity.device import Device
from cinelet.capacity.fleet import Fleet
from cinelet.capacity.sim_job import SimJob
from cinelet.capacity.tally import Tally
from cinelet.scheduling.admission import admit, wait_in
from cinelet.scheduling.ledger import Ledger
from cinelet.scheduling.line import Line
from cinelet.scheduling.policy import Policy, decide
from cinelet.scheduling.work import Standing, standing


class Simulator:
    """One run of `arrivals`, sorted by `arrived_at`. `may_degrade` lets admission offer less, `may_refuse` lets it send jobs away;
    without them everything is accepted as it was asked for. Chance (deaths, cache hits) comes from `seed` alone."""

    def __init__(
        self,
        policy: Policy,
        fleet: Fleet,
        arrivals: Iterable[SimJob],
        *,
        may_degrade: bool = False,
        may_refuse: bool = False,
        seed: int = 0,
    ) -> None:
        self._policy = policy
        self._fleet = fleet
        self._arrivals: Iterator[SimJob] = iter(arrivals)
        self._arrival = next(self._arrivals, None)
        self._may_degrade = may_degrade
        self._may_refuse = may_refuse
        self._random = Random(seed)
        self._ledger = Ledger()
        self._line: Line[SimJob] = policy.line(self._ledger)
        self._devices = [Device(number, fleet.slots, fleet.line) for number in range(fleet.num_devices)]
        self._open = {device.number: device for device in self._devices}
        self._place: dict[SimJob, Device] = {}
        self._num_elsewhere = 0
        self._events: list[tuple[float, int, Callable[[Any], None], Any]] = []
        self._numbers = count()
        self.now = 0.0
        self.tally = Tally()
        if fleet.mtbf_s < inf:
            for device in self._devices:
                self._schedule(self._random.expovariate(1 / fleet.mtbf_s), self._on_death, device)

    @property
    def waiting(self) -> Line[SimJob]:
        """The line, for looking at."""
        return self._line

    @property
    def devices(self) -> list[Device]:
        """The fleet, for looking at."""
        return self._devices

    @property
    def arriving(self) -> SimJob | None:
        """Who comes, where that is what happens next."""
        arrival = self._arrival
        return arrival if arrival is not None and (not self._events or arrival.arrived_at < self._events[0][0]) else None

    @property
    def has_more(self) -> bool:
        """Whether somebody is still to come, waits, runs, or is between two places."""
        return self._arrival is not None or bool(self._place) or self._num_elsewhere > 0 or len(self._line) > 0

    def run(self) -> Tally:
        """Play until the last job has ended."""
        while self.has_more:
            self.tick()
        self.tally.close(self.now, sum(device.busy_s for device in self._devices))
        return self.tally

    def tick(self) -> None:
        """The next thing happens, and the scheduler answers it."""
        arrival = self.arriving
        if arrival is not None:
            self.now = arrival.arrived_at
            self._arrival = next(self._arrivals, None)
            self._arrive(arrival)
        else:
            self.now, _, happen, what = heappop(self._events)
            happen(what)
        self._decide()
        if self.now >= self.tally.timeline.next_at:
            num_busy, num_up = sum(bool(device.runs) for device in self._devices), sum(device.is_up for device in self._devices)
            self.tally.timeline.note(self.now, len(self._line), num_busy, num_up)

    def _arrive(self, job: SimJob) -> None:
        if self._fleet.hit_share and self._random.random() < self._fleet.hit_share:
            self.tally.hit(job)
            return
        admitted = self._admit(job) if self._may_degrade or self._may_refuse else job
        if admitted is None:
            self.tally.refuse(job)
        else:
            self._line.push(admitted, self.now)

    def _admit(self, job: SimJob) -> SimJob | None:
        """What the production admission makes of it: the job itself, a lighter one, or None where it is refused."""
        if self._open and not len(self._line):
            return job
        num_places = max(1, int(sum(device.is_up for device in self._devices) * self._fleet.speedup))
        running = list(self._place)

        def wait_s(offer: SimJob) -> float:
            return wait_in(self._line, offer, running, num_places=num_places, policy=self._policy, ledger=self._ledger, now=self.now)

        offers, waits_s = [job], [wait_s(job)]
        if self._may_degrade and self.now + waits_s[0] + job.solo_s > job.due_at:
            offers += [job.lighter(share, number) for number, share in enumerate(self._fleet.offers, 1)]
            waits_s += map(wait_s, offers[1:])
        verdict = admit(offers, waits_s, now=self.now, may_degrade=len(offers) > 1, is_firm=False)
        if verdict.outcome == "refuse":
            return None if self._may_refuse else offers[-1]
        return offers[verdict.offer]

    def _decide(self) -> None:
        """Ask the scheduler until nothing changes."""
        line = self._line
        while len(line):
            num_free = len(self._open)
            if num_free and self._fleet.slots > 1:
                num_free = self._num_places(line.peek(self.now))
            decision = decide(self._policy, line, self._place, num_free=num_free, ledger=self._ledger, now=self.now)
            if decision is None:
                return
            if decision.park is not None:
                self._swap(decision.start, decision.park)
            else:
                self._start(decision.start, self._best_place(decision.start), self.now)

    def _num_places(self, job: SimJob | None) -> int:
        return sum(device.takes(job) for device in self._open.values()) if job is not None else 0

    def _best_place(self, job: SimJob) -> Device:
        """Where its model is loaded, and the fewest run."""
        first = next(iter(self._open.values()))
        if self._fleet.slots == 1 and (first.model == job.model or not self._fleet.cold_start_s):
            return first
        places = (device for device in self._open.values() if device.takes(job))
        return min(places, key=lambda device: (device.model != job.model, len(device.runs)))

    def _swap(self, job: SimJob, victim: SimJob) -> None:
        """The victim leaves at its next step boundary and waits from there on; the other begins there."""
        device = self._place[victim]
        at = victim.next_boundary(self.now)
        self._leave(victim, device, at)
        victim.num_parks += 1
        victim.left_s += self._fleet.park_s * victim.speed
        self._schedule_return(at, victim)
        self._start(job, device, at)

    def _start(self, job: SimJob, device: Device, at: float) -> None:
        if device.model != job.model:
            at += self._fleet.cold_start_s
            device.model = job.model
        job.is_overdue_turn = standing(job, self.now) is Standing.OVERDUE
        device.before_change(self.now)
        job.begin(at)
        device.runs.append(job)
        self._place[job] = device
        self._changed(device)

    def _leave(self, job: SimJob, device: Device, at: float) -> None:
        """Off the device, with what it did until `at`."""
        device.before_change(self.now)
        job.leave(at)
        served_s = max(0.0, at - job.began_at) / len(device.runs)
        device.runs.remove(job)
        del self._place[job]
        self._ledger.note(
            job.tenant, served_s, self.now, was_overdue=job.is_overdue_turn, some_overdue=self._line.has_overdue(self.now)
        )  # fmt: skip
        self._changed(device)

    def _changed(self, device: Device) -> None:
        """Another set runs: look forward to the first that ends, and keep the list of places."""
        end = device.next_end()
        if end is not None:
            self._schedule(end[0], self._on_end, (device, device.version, end[1]))
        if device.has_room:
            self._open[device.number] = device
        else:
            self._open.pop(device.number, None)

    def _on_end(self, what: tuple[Device, int, SimJob]) -> None:
        device, version, job = what
        if version == device.version:
            self._leave(job, device, self.now)
            self.tally.finish(job, self.now)

    def _on_death(self, device: Device) -> None:
        """A worker dies with what it ran; its jobs wait for their leases to end."""
        device.is_up = False
        for job in list(device.runs):
            self._leave(job, device, self.now)
            done_s = job.turn_left_s - job.left_s
            job.left_s += done_s % (self._fleet.checkpoint_every_s * job.speed)
            self._schedule_return(self.now + self._fleet.lease_s, job)
            self.tally.num_deaths += 1
        device.model = ""
        self._changed(device)
        self._schedule(self.now + self._fleet.repair_s, self._on_repair, device)

    def _on_repair(self, device: Device) -> None:
        device.is_up = True
        self._changed(device)
        self._schedule(self.now + self._random.expovariate(1 / self._fleet.mtbf_s), self._on_death, device)

    def _schedule_return(self, at: float, job: SimJob) -> None:
        self._num_elsewhere += 1
        self._schedule(at, self._on_return, job)

    def _on_return(self, job: SimJob) -> None:
        self._num_elsewhere -= 1
        self._line.push(job, self.now)

    def _schedule(self, at: float, happen: Callable[[Any], None], what: Any) -> None:
        heappush(self._events, (at, next(self._numbers), happen, what))
