"""One accelerator of the simulator: who runs on it, how fast, and for how long it was busy."""

from __future__ import annotations

from collections import Counter

from cinelet.capacity.sim_job import SimJob
from cinelet.scheduling.batch import BatchLine


class Device:
    """Holds up to `slots` jobs. Those of one shape are stepped together and pay as `line` says; shapes take turns."""

    __slots__ = ("_changed_at", "busy_s", "is_up", "line", "model", "number", "runs", "slots", "version")

    def __init__(self, number: int, slots: int, line: BatchLine) -> None:
        self.number = number
        self.slots = slots
        self.line = line
        self.runs: list[SimJob] = []
        self.model = ""
        self.is_up = True
        self.version = 0
        self.busy_s = 0.0
        self._changed_at = 0.0

    @property
    def has_room(self) -> bool:
        """Whether it is up and one more of the right shape would pay."""
        num = len(self.runs)
        return self.is_up and (num == 0 or (num < self.slots and self.line.pays(num + 1)))

    def takes(self, job: SimJob) -> bool:
        """Whether it has room for this one: free, or stepping the same shape of the same model."""
        return self.has_room and all(other.shape == job.shape and other.model == job.model for other in self.runs)

    def before_change(self, now: float) -> None:
        """Book what was done, at the pace that ends now."""
        self.version += 1
        if self.runs:
            self.busy_s += now - self._changed_at
            for job in self.runs:
                job.settle(now)
        self._changed_at = now

    def next_end(self) -> tuple[float, SimJob] | None:
        """Set the pace of those that run from now on, and tell who ends first and when; None where nobody runs."""
        if not self.runs:
            return None
        if len(self.runs) == 1:
            first = self.runs[0]
            first.rate = first.speed
        else:
            cycle_s = sum(map(self.line.seconds, Counter((job.model, job.shape) for job in self.runs).values()))
            for job in self.runs:
                job.rate = job.speed * self.line.seconds(1) / cycle_s
            first = min(self.runs, key=_end)
        return _end(first), first


def _end(job: SimJob) -> float:
    return (job.began_at if job.since is None else job.since) + job.left_s / job.rate
