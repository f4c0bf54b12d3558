"""Asks the scheduler for one worker: who starts, who makes room. Remembers whom the device served and what steps together took."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from cinelet.jobs import Candidate
from cinelet.scheduling import BatchFit, Decision, Ledger, Line, Policy, Standing, decide, may_start, standing
from cinelet.scheduling.batch import GATHER_S
from cinelet.worker.run import Run


class Dispatcher:
    """`slots` clips at most run at once; whoever owns the device may change it. Its clock is the database's: unix seconds."""

    def __init__(self, policy: Policy, slots: int) -> None:
        self._policy = policy
        self.slots = slots
        self._ledger = Ledger()
        self._fits: defaultdict[str, BatchFit] = defaultdict(BatchFit)
        self._some_overdue = False

    def decide(self, candidates: Sequence[Candidate], runs: Collection[Run], now: float) -> Decision[Candidate | Run] | None:
        """What changes now; None: nothing. Parked runs wait in the same line as the candidates."""
        active = [run for run in runs if not run.is_parked and not run.is_done]
        parked = [run for run in runs if run.is_parked]
        decoding = [run for run in runs if run.is_done and not run.is_parked]
        line: Line[Candidate | Run] = self._policy.line(self._ledger)
        waiting: list[Candidate | Run] = [*may_start(candidates, [*active, *decoding, *parked], now), *parked]
        for work in waiting:
            line.push(work, now)
        self._some_overdue = line.has_overdue(now)
        first = line.peek(now)
        if first is None:
            return None
        num_free = 1 if self._has_place(first, active) else 0
        return decide(self._policy, line, active, num_free=num_free, ledger=self._ledger, now=now)

    def gathers_s(self, candidates: Sequence[Candidate], active: Sequence[Run], now: float) -> float:
        """How long a free device waits for more clips of one shape, where stepping them together is known to pay; mostly not at all."""
        if active or not 0 < len(candidates) < self.slots:
            return 0.0
        line = self._fits[candidates[0].shape].line()
        youngest_at = max(candidate.created_at for candidate in candidates)
        return max(0.0, youngest_at + GATHER_S - now) if line is not None and line.pays(2) else 0.0

    def stepped(self, active: Sequence[Run], seconds: float) -> None:
        """A step of all of `active` took so long."""
        shapes = {run.shape for run in active}
        if self.slots > 1 and len(shapes) == 1:
            self._fits[shapes.pop()].note(len(active), seconds)

    def begins(self, run: Run, now: float) -> None:
        """A run comes to the device."""
        run.turn_step, run.turn_at = run.step, now
        run.was_overdue = standing(run, now) is Standing.OVERDUE

    def ends(self, run: Run, now: float) -> None:
        """A run leaves the device; one that is parked, or never came to it, has left it before."""
        if run.turn_at is None:
            return
        seconds, run.turn_at = max(0.0, now - run.turn_at), None
        self._ledger.note(run.tenant, seconds, now, was_overdue=run.was_overdue, some_overdue=self._some_overdue)

    def _has_place(self, work: Candidate | Run, active: Sequence[Run]) -> bool:
        """On a free device always; beside others only where stepping them together pays."""
        if not active:
            return True
        if len(active) >= self.slots:
            return False
        if {run.shape for run in active} != {work.shape}:
            return False
        line = self._fits[work.shape].line()
        return line is None or line.pays(len(active) + 1)
