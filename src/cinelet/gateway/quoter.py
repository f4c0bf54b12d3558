"""What a clip will cost and when it will be there: prices learnt from finished clips, and the waiting line at a glance."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import chain

from cinelet.gateway.recent import Recent
from cinelet.jobs import Candidate, Job, Store
from cinelet.scheduling import Cost, Outlook, Policy, Pricer
from cinelet.scheduling.foresight import gaps_s, usual_s
from cinelet.video import Plan

NUM_SAMPLES = 20
MAX_LEARNT = 1000
"""Ids of clips that were learnt from, so that none counts twice."""
REFRESH_S = 2.0
"""How old the line may be where nothing rang; rings may be lost."""
GLANCE_S = 0.05
"""How old it may be once something happened; who finds it older asks anew, for all."""
KEPT_TIMES = 20
"""A line that took long to read is kept so many times as long, `REFRESH_S` at most: reading it is a small part of the time."""
MAX_LISTED = 512
FIRST_OVERHEAD_S = 0.2
"""Encoding the file, storing it, noticing: what is not the device's, before any was measured."""
AT_ONCE_S = 0.25
"""Who starts within this time of being accepted found a free device, or all but free: a worker needs a moment to notice."""


@dataclass(frozen=True, kw_only=True)
class Quote:
    """`work_s` device seconds of the clip itself; `wait_s` before it starts, after `num_ahead` others; `overhead_s` for what is not the
    device's."""

    work_s: float
    wait_s: float
    overhead_s: float = FIRST_OVERHEAD_S
    num_ahead: int = 0

    @property
    def eta_s(self) -> float:
        """From now until it is there."""
        return self.wait_s + self.work_s + self.overhead_s


def quote(work: Candidate, outlook: Outlook[Candidate], now: float, overhead_s: float) -> Quote:
    """What one is told who stands in this line, or would, at `now` (unix seconds)."""
    return Quote(work_s=work.left_s, wait_s=outlook.expected_wait_s(work, now), overhead_s=overhead_s, num_ahead=outlook.ahead_of(work)[0])


class Quoter:
    """Prices by model, and the waiting line of a moment ago. What says so blocks and is for threads.

    Submissions under way stand in the line from `expect` to `settle`: those that come together must know of each other.
    """

    def __init__(self, store: Store, pricers: Mapping[str, Pricer], *, policy: Policy, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._pricers = pricers
        self._policy = policy
        self._clock = clock
        self._learnt: Recent[None] = Recent(MAX_LEARNT)
        self._learning = threading.Lock()
        self._learnt_at = float("-inf")
        self._overheads_s: list[float] = []
        self._between_s = 0.0
        self._num_places = 1
        self._outlook: Outlook[Candidate] | None = None
        self._expected: dict[str, Candidate] = {}
        self._joining = threading.Lock()
        self._read_at = self._asked_at = float("-inf")
        self._kept_s = GLANCE_S
        self._num_rings = self._num_heard = 0
        self._silence = store.bell.listen(self._hear)

    def close(self) -> None:
        """Listen no more."""
        self._silence()

    def price(self, plan: Plan) -> Cost:
        """Predicted device seconds."""
        return self._pricers[plan.model].price(plan)

    @property
    def overhead_s(self) -> float:
        """From the last frame to a file that can be fetched."""
        return usual_s(self._overheads_s) if self._overheads_s else FIRST_OVERHEAD_S

    def glance(self) -> Outlook[Candidate] | None:
        """The line, if it is fresh; None for one caller every while, who must `look` then. Does not block."""
        now = self._clock()
        if self._outlook is None:
            return None
        has_news = self._num_rings != self._num_heard
        if now - max(self._read_at, self._asked_at) > (self._kept_s if has_news else REFRESH_S):
            self._asked_at = now  # this caller asks for all others
            return None
        return self._outlook

    def look(self) -> Outlook[Candidate]:
        """The line as it is now, and those who are about to join it. Blocks."""
        self._learn_if_due()
        began, num_rings = self._clock(), self._num_rings
        expected = tuple(self._expected.values())  # before the line is read: who is written meanwhile is in both, and counts once
        waiting = self._store.leases.candidates(list(self._pricers), limit=MAX_LISTED)
        beyond = (0, 0.0)
        if len(waiting) >= MAX_LISTED:
            load = self._store.register.load()
            listed_s = sum(candidate.left_s for candidate in waiting)
            beyond = (max(0, sum(load.waiting.values()) - len(waiting)), max(0.0, load.waiting_s - listed_s))
        outlook = Outlook(
            waiting,
            [self._begun(job, number) for number, job in enumerate(self._store.register.running())],
            num_places=self._num_places,
            policy=self._policy,
            now=self._store.database.clock(),
            beyond=beyond,
            between_s=self._between_s,
        )
        with self._joining:
            for work in {work.id: work for work in (*expected, *self._expected.values())}.values():
                outlook.add(work)
            self._outlook = outlook
        self._num_heard = num_rings  # what rang before the line was read is in it; a reading that failed heard nothing
        self._read_at = self._clock()
        self._kept_s = min(REFRESH_S, max(GLANCE_S, KEPT_TIMES * (self._read_at - began)))
        return outlook

    def expect(self, work: Candidate) -> None:
        """A job is about to be written; from now on others stand behind it, or before it."""
        with self._joining:
            self._expected[work.id] = work
            if self._outlook is not None:
                self._outlook.add(work)

    def settle(self, work: Candidate, *, is_there: bool) -> None:
        """It was written, or it was not; nothing for one who was never expected."""
        with self._joining:
            self._expected.pop(work.id, None)
            if self._outlook is not None and not is_there:
                self._outlook.remove(work)

    def quote(self, work: Candidate, now: float) -> Quote:
        """What one who has just joined is told. Does not block; after `look`."""
        assert self._outlook is not None  # noqa: S101 - whoever joined has looked
        return quote(work, self._outlook, now, self.overhead_s)

    def fresh(self) -> Outlook[Candidate]:
        """The line, read again only where it is old. Blocks."""
        return self.glance() or self.look()

    def place(self, job: Job) -> tuple[int, float | None]:
        """How many waiting jobs go before an accepted one, and seconds until it is finished; None once it has ended. Blocks."""
        if job.is_final:
            return 0, None
        if job.state == "running":
            return 0, self._store.register.left_s(job) + self.overhead_s
        outlook, work = self.fresh(), candidate_of(job)
        return outlook.ahead_of(work)[0], outlook.expected_wait_s(work, self._store.database.clock()) + job.left_s + self.overhead_s

    def _hear(self, message: str) -> None:
        """Someone came, began, went on or ended; a webhook that waits changes nothing."""
        if message != "outbox":
            self._num_rings += 1

    def _begun(self, job: Job, number: int) -> Candidate:
        """A running job as it stands now; of those after the first ones, which are parked, nothing was done since they told. Of a model
        that is not offered here nobody knows when it keeps its place."""
        is_on_device = number < self._num_places
        work = replace(candidate_of(job), left_s=self._store.register.left_s(job) if is_on_device else job.left_s)
        if job.plan.model not in self._pricers:
            return work
        cost = self.price(job.plan)
        return replace(work, firm_s=cost.firm_s, told_step_s=cost.step_s)

    def _learn_if_due(self) -> None:
        """Learn from the clips that were finished since, unless another thread is at it: no clip counts twice."""
        if self._clock() - self._learnt_at < REFRESH_S or not self._learning.acquire(blocking=False):
            return
        try:
            self._learn_all()
        finally:
            self._learning.release()

    def _learn_all(self) -> None:
        self._learnt_at = self._clock()
        self._num_places = max(1, len(self._store.roster.present()))
        recent = {model: self._store.register.recent(model, NUM_SAMPLES) for model in self._pricers}
        for model, pricer in self._pricers.items():
            for job in reversed(recent[model]):
                if job.id not in self._learnt:
                    self._learn(job, pricer)
        if between_s := between_clips_s(chain.from_iterable(recent.values())):
            self._between_s = usual_s(between_s)

    def _learn(self, job: Job, pricer: Pricer) -> None:
        self._learnt.keep(job.id, None)
        stages_s = job.report.get("stage_durations_s", {})
        if "denoise_high" not in stages_s:
            return
        names = {"encode": "text_encode", "denoise": "denoise_high", "decode": "vae_decode"}
        pricer.learn(job.plan, {ours: stages_s.get(wire, 0.0) for ours, wire in names.items()})
        if (seconds := beside_device_s(job)) is not None:
            self._overheads_s = [*self._overheads_s[-NUM_SAMPLES:], seconds]


def beside_device_s(job: Job) -> float | None:
    """What a finished clip took from acceptance to its file beside the device's own seconds; None for one that had to wait,
    before it started or for another worker."""
    if job.started_at is None or job.finished_at is None or job.attempt > 1 or not 0 <= job.started_at - job.created_at <= AT_ONCE_S:
        return None
    return max(0.0, job.finished_at - job.created_at - float(job.report["inference_time_s"]))


def between_clips_s(jobs: Iterable[Job]) -> list[float]:
    """What passed on the devices between two clips, see `gaps_s`."""
    stays: dict[str, list[tuple[float, float, float, float]]] = defaultdict(list)
    for job in jobs:
        if job.started_at is not None and job.finished_at is not None and "worker" in job.report:
            stay = (job.created_at, job.started_at, float(job.report["inference_time_s"]), job.finished_at)
            stays[job.report["worker"]].append(stay)
    return [gap_s for on_device in stays.values() for gap_s in gaps_s(on_device)]


def candidate_of(job: Job) -> Candidate:
    """What scheduling sees of a job."""
    return Candidate(
        id=job.id,
        tenant=job.tenant,
        tier=job.tier,
        state=job.state,
        created_at=job.created_at,
        due_at=job.due_at,
        work_s=job.work_s,
        left_s=job.left_s,
        attempt=job.attempt,
        shape=job.plan.shape,
        stage=job.stage,
    )
