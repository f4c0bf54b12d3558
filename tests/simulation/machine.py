"""Drives a real store with whatever clients, workers, time and janitor may do, in any order, beside the model.

The clock is the test's own, ids count up, and Hypothesis draws the order and prints what to replay. Stale leases are
kept for ever and used again: a zombie is the commonest visitor. Stands on one open store, emptied for each example.
"""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cinelet.errors import CineletError, KeyReusedError, NotFoundError, QuotaError
from cinelet.jobs import Accepted, Beat, Lease, LeaseLostError, Submission, Tenant
from tests.simulation.oracle import OPEN, TENANTS, WAITING, Model, Oracle, Record
from tests.support.world import BROKEN, PLAN, World

QUOTA_S = 16.0
"""Room for four clips: small enough to be used up in a history."""
WORK_S = 4.0
NUM_STEPS = PLAN.num_inference_steps
SETTLING_S = 3600.0
"""Longer than any lease, delay or schedule of the simulation."""

picks = st.integers(0, 1 << 16)
tenants = st.sampled_from(TENANTS)
owners = st.sampled_from((TENANTS[0], *TENANTS))
"""Mostly the same one, so that histories meet."""
submissions = st.fixed_dictionaries(
    {
        "tenant": owners,
        "key": st.sampled_from([None, None, "k1", "k2", "k3", "k4"]),
        "body": st.sampled_from("ab"),
        "digest": st.sampled_from([None, "d", "d"]),
        "delay_s": st.sampled_from([0.0, 0.0, 0.0, 20.0]),
        "deadline_s": st.sampled_from([None, None, 45.0]),
        "calls_back": st.booleans(),
    }
)
PLAIN = {"key": None, "body": "a", "delay_s": 0.0, "deadline_s": None, "calls_back": False}
"""A submission with nothing special about it."""


class JobsMachine(RuleBasedStateMachine):
    """The rules. `world` is set on the class by whoever runs it."""

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.world.clear()
        self.model = Model()
        self.oracle = Oracle(self.world, self.model)
        self.leases: list[Lease] = []
        for tenant in TENANTS:
            self.world.store.tenants.put(Tenant(id=tenant, quota_s=QUOTA_S))
            self.model.quota_s[tenant] = QUOTA_S

    @property
    def now(self) -> float:
        return self.world.clock()

    @initialize(wanted=st.lists(submissions, min_size=1, max_size=3))
    def begin(self, wanted: list[dict[str, Any]]) -> None:
        """Somebody works already when the history begins."""
        self.accept(wanted)
        self.claim(2)

    @rule(wanted=st.lists(submissions, min_size=1, max_size=3))
    def accept(self, wanted: list[dict[str, Any]]) -> None:
        """A round of submissions, answered one by one as if they had come one after the other."""
        submissions = [self._submission(**what) for what in wanted]
        answers = self.world.store.intake.accept(submissions)
        for submission, answer in zip(submissions, answers, strict=True):
            leader = answer.job.leader_id if isinstance(answer, Accepted) else None
            kind, owner = self.model.expected_answer(submission.job, submission.idempotency_key, leader)
            assert word_for(answer) == kind, f"I1: {submission} got {answer}, expected {kind}"
            if isinstance(answer, Accepted):
                assert answer.job.id == (owner or submission.job.id), "I2: one key, two jobs"

    def _submission(
        self, *, tenant: str, key: str | None, body: str, digest: str | None, delay_s: float, deadline_s: float | None, calls_back: bool
    ) -> Submission:
        return self.world.submission(
            tenant=tenant,
            key=key,
            body_digest=body,
            digest=None if digest is None else f"{tenant} {digest}",
            state="scheduled" if delay_s else "available",
            available_at=self.now + delay_s,
            deadline_at=None if deadline_s is None else self.now + deadline_s,
            callback_url="https://example.org/hook" if calls_back else None,
            reserved_s=WORK_S,
            work_s=WORK_S,
        )

    @rule(number=st.integers(1, 3))
    def claim(self, number: int) -> None:
        """A worker looks and takes what it sees."""
        free = {record.id for record in self.model.records.values() if self.model.is_free(record, self.now)}
        candidates = [candidate.id for candidate in self.world.store.leases.candidates(["pocket"])]
        assert set(candidates) == free, f"I1: candidates {candidates}, expected {free}"
        self._take(candidates[:number])

    @precondition(lambda self: self.model.records)
    @rule(pick=picks)
    def claim_anything(self, pick: int) -> None:
        """A worker with an old list takes what may be gone."""
        self._take([self._record(pick).id])

    def _take(self, ids: list[str]) -> None:
        expected = [job_id for job_id in ids if self.model.is_free(self.model.records[job_id], self.now)]
        leases = self.world.store.leases.claim(ids, "w1")
        assert [lease.job.id for lease in leases] == expected, "I2: claimed what was not free"
        for lease in leases:
            self.model.claim(lease.job.id, lease.token, self.now + self.world.store.leases.lease_s)
        self.leases += leases

    @precondition(lambda self: self.leases)
    @rule(pick=picks, step=st.integers(0, NUM_STEPS))
    def beat(self, pick: int, step: int) -> None:
        """A worker is alive, or thinks so."""
        lease = self._lease(pick)
        lost = self.world.store.leases.beat([Beat(job_id=lease.job.id, token=lease.token, stage="denoise_high", step=step, left_s=1.0)])
        assert lost == (set() if self._is_held(lease) else {lease.job.id}), "I2: a beat under a lost lease"
        if self._is_held(lease):
            record = self.model.records[lease.job.id]
            record.leased_until = self.now + self.world.store.leases.lease_s
            record.step = max(record.step, step)

    @precondition(lambda self: self.leases)
    @rule(pick=picks, step=st.integers(1, NUM_STEPS))
    def checkpoint(self, pick: int, step: int) -> None:
        """A worker saved its place."""
        lease = self._lease(pick)
        if self._does(lease, lambda: self.world.store.leases.checkpoint(lease, f"{lease.job.id}/{lease.token}/checkpoint", step)):
            self.model.records[lease.job.id].checkpoint_step = step

    @precondition(lambda self: self.leases)
    @rule(pick=picks)
    def succeed(self, pick: int) -> None:
        """A worker is done; told again under the same token it is the same success."""
        lease = self._lease(pick)
        record = self.model.records[lease.job.id]
        if record.state == "succeeded" and record.token == lease.token:
            self.world.succeed(lease, spent_s=WORK_S)
        elif self._does(lease, lambda: self.world.succeed(lease, spent_s=WORK_S)):
            self.model.succeed(lease.job.id, WORK_S)

    @precondition(lambda self: self.leases)
    @rule(pick=picks, may_retry=st.booleans())
    def fail(self, pick: int, *, may_retry: bool) -> None:
        """A worker's engine ended."""
        lease = self._lease(pick)
        if self._does(lease, lambda: self.world.store.leases.fail(lease, BROKEN, may_retry=may_retry)):
            self.model.end_attempt(lease.job.id, self.now, may_retry=may_retry)

    @precondition(lambda self: self.leases)
    @rule(pick=picks)
    def release(self, pick: int) -> None:
        """A worker is told to stop softly."""
        lease = self._lease(pick)
        if self._does(lease, lambda: self.world.store.leases.release(lease)):
            record = self.model.records[lease.job.id]
            record.state, record.available_at = "available", self.now
            record.attempt -= 1

    @precondition(lambda self: self.model.records)
    @rule(pick=picks, tenant=owners, forgets=st.booleans())
    def cancel(self, pick: int, tenant: str, *, forgets: bool) -> None:
        """A client wants it no more, be it its own or not."""
        record = self._record(pick)
        call = self.world.store.register.delete if forgets else self.world.store.register.cancel
        if record.tenant != tenant or record.is_deleted:
            with pytest.raises(NotFoundError):
                call(record.id, tenant)
            return
        call(record.id, tenant)
        if record.state in OPEN:
            share = record.step / NUM_STEPS if record.state == "running" else 0.0
            self.model.end(record.id, "cancelled", charged_s=share * record.work_s)
        record.is_deleted = forgets

    @rule(seconds=st.sampled_from([0.5, 1.0, 6.0, 31.0, 120.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.world.clock.advance(seconds)

    @precondition(lambda self: self.leases)
    @rule(pick=picks)
    def fall_silent(self, pick: int) -> None:
        """A worker is gone; another one takes its job as soon as it may."""
        job_id = self._lease(pick).job.id
        self.wait(120.0)
        self.rescue()
        self.wait(6.0)
        self._take([job_id])

    @precondition(lambda self: any(record.state == "succeeded" and not record.is_deleted for record in self.model.records.values()))
    @rule(pick=picks, forgets=st.booleans())
    def ask_again(self, pick: int, *, forgets: bool) -> None:
        """A client wants what it has already, or had until now."""
        done = [record for record in self.model.records.values() if record.state == "succeeded" and not record.is_deleted]
        record = done[pick % len(done)]
        if forgets:
            self.world.store.register.delete(record.id, record.tenant)
            record.is_deleted = True
        self.accept([{**PLAIN, "tenant": record.tenant, "digest": "d"}])

    @precondition(lambda self: len(self.model.records) > 5)
    @rule(tenant=owners)
    def crowd(self, tenant: str) -> None:
        """A client sends more than it has room for, and then all of it again."""
        keys = [f"{len(self.model.records)} {i}" for i in range(5)]
        wanted = [{**PLAIN, "tenant": tenant, "digest": None, "key": key} for key in keys]
        self.accept(wanted)
        self.accept(wanted)

    @rule()
    def rescue(self) -> None:
        """The house takes jobs back from the silent."""
        silent = [r for r in self.model.records.values() if r.state == "running" and r.leased_until < self.now]
        self.world.store.leases.rescue()
        for record in silent:
            self.model.end_attempt(record.id, self.now, may_retry=True)

    @rule()
    def tidy(self) -> None:
        """The janitor wakes what was scheduled and ends what is too late."""
        for record in self.model.records.values():
            if record.state == "scheduled" and record.available_at <= self.now:
                record.state = "available"
        late = [r for r in self.model.records.values() if r.state in WAITING and r.deadline_at is not None and r.deadline_at < self.now]
        self.world.store.janitor.wake_scheduled()
        self.world.store.janitor.expire()
        for record in late:
            self.model.end(record.id, "expired")

    @rule(tenant=tenants)
    def look(self, tenant: str) -> None:
        """A client looks at its own jobs and guesses at others'."""
        self.oracle.check_answers(tenant)

    @rule()
    def sweep(self) -> None:
        """Somebody asks which files may go."""
        self.oracle.check_leftovers()

    @invariant()
    def holds(self) -> None:
        """What the tables say, after every step."""
        self.oracle.check()

    def teardown(self) -> None:
        """I5: when faults end, every open job reaches its end."""
        for _ in range(2 * len(self.model.records) + 2):
            if not any(record.state in OPEN for record in self.model.records.values()):
                break
            self.wait(SETTLING_S)
            self.rescue()
            self.wait(SETTLING_S)
            self.tidy()
            self.claim(64)
            for i, lease in enumerate(self.leases):
                if self._is_held(lease):
                    self.succeed(i)
        stuck = [record.id for record in self.model.records.values() if record.state in OPEN]
        assert stuck == [], f"I5: never ends: {stuck}"
        self.oracle.check()
        self.oracle.check_leftovers()

    def _record(self, pick: int) -> Record:
        return list(self.model.records.values())[pick % len(self.model.records)]

    def _lease(self, pick: int) -> Lease:
        return self.leases[pick % len(self.leases)]

    def _is_held(self, lease: Lease) -> bool:
        return self.model.is_held(lease.job.id, lease.token)

    def _does(self, lease: Lease, call: Any) -> bool:
        """Whether the call took effect, which is so exactly where the lease is held."""
        if self._is_held(lease):
            call()
            return True
        with pytest.raises(LeaseLostError):
            call()
        return False


def word_for(answer: Accepted | CineletError) -> str:
    """An answer in the model's words."""
    if isinstance(answer, Accepted):
        return answer.kind
    return {KeyReusedError: "reused", QuotaError: "quota"}[type(answer)]
