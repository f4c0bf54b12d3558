"""One load played against several policies: each meets the same arrivals, the same chance and an empty fleet."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cinelet.capacity.contender import Contender
from cinelet.capacity.fleet import Fleet
from cinelet.capacity.simulator import Simulator
from cinelet.capacity.tally import Tally
from cinelet.capacity.workload import Workload


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """What each contender made of a load, by its name."""

    fleet: Fleet
    tallies: Mapping[str, Tally]

    def summaries(self) -> dict[str, dict[str, Any]]:
        """The numbers of each."""
        return {name: tally.summary(self.fleet.num_devices) for name, tally in self.tallies.items()}


def simulate(workload: Workload, fleet: Fleet, contenders: Sequence[Contender], seed: int = 0) -> Simulation:
    """Play them all, one after the other. Equal arguments give equal results."""
    return Simulation(fleet=fleet, tallies={one.name: play(workload, fleet, one, seed) for one in contenders})


def play(workload: Workload, fleet: Fleet, contender: Contender, seed: int = 0) -> Tally:
    """One run."""
    simulator = Simulator(
        contender.policy, fleet, workload.jobs(), may_degrade=contender.may_degrade, may_refuse=contender.may_refuse, seed=seed
    )
    with _without_collector():
        return simulator.run()


@contextmanager
def _without_collector() -> Iterator[None]:
    """A run makes millions of small objects and no cycles: the collector would look through them again and again, and find nothing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
