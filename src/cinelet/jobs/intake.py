"""Accepting work: many submissions, one transaction. When it returns, every accepted job is on the disk with all that belongs to it.

For each submission one of four things is true: it repeats an earlier one (same key, or same body tried again), it is answered by
a finished job of the same digest, it follows a running one, or it is new work. Only new work is reserved against the quota.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy import Connection, delete, func, insert, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from cinelet.errors import CineletError, InternalError, KeyReusedError, QuotaError, RateLimitedError
from cinelet.jobs.bell import Bell
from cinelet.jobs.database import CommitUnknownError, Database
from cinelet.jobs.job import Job, Submission
from cinelet.jobs.original import Original, find_originals
from cinelet.jobs.outbox import announce
from cinelet.jobs.rows import to_job, to_row
from cinelet.jobs.schema import idempotency_keys, jobs, tenants
from cinelet.jobs.states import WAITING

REPEAT_WINDOW_S = 600.0
"""How long an equal body that says it is a repetition counts as one, without a key."""
RETRY_AFTER_S = 10.0
DUST_S = 1e-6
"""What sums of fractions may be off: a quota of 0.3 seconds has room for three times 0.1."""

Kind = Literal["new", "repeat", "hit", "follower"]
Numbered = tuple[int, Submission]
"""A submission and its place in the round."""


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """The job that answers a submission, and how it came to be that one."""

    job: Job
    kind: Kind


class Intake:
    """The only writer of new jobs."""

    def __init__(self, database: Database, bell: Bell) -> None:
        self._database = database
        self._bell = bell

    def accept(self, submissions: Sequence[Submission]) -> list[Accepted | CineletError]:
        """Accept all in one transaction; the answers stand in the same order, a refusal as the error to raise.

        `KeyReusedError`: the key came before with another body. `QuotaError`, `RateLimitedError`: the tenant has no room for it.
        """
        try:
            answers = self._database.write(lambda connection: _Round(connection, self._database.clock()).accept(submissions))
        except CommitUnknownError:
            answers = self._after_doubt(submissions)
        if any(isinstance(answer, Accepted) and answer.kind == "new" for answer in answers):
            self._bell.ring("work")
        return answers

    def _after_doubt(self, submissions: Sequence[Submission]) -> list[Accepted | CineletError]:
        """The commit broke: what has our ids is in, all else is accepted now. Nothing is accepted twice."""
        ids = [submission.job.id for submission in submissions]
        query = select(jobs).where(jobs.c.id.in_(ids))
        found = self._database.read(lambda c: {row["id"]: to_job(row) for row in c.execute(query).mappings()})
        rest = [submission for submission in submissions if submission.job.id not in found]
        others = self._database.write(lambda c: _Round(c, self._database.clock()).accept(rest)) if rest else []
        later = iter(others)
        return [
            Accepted(job=found[submission.job.id], kind=kind_of(found[submission.job.id])) if submission.job.id in found else next(later)
            for submission in submissions
        ]


class _Round:
    """One transaction of acceptance. Each step settles some of the submissions; what is left is new work."""

    def __init__(self, connection: Connection, now: float) -> None:
        self._connection = connection
        self._now = now
        self._answers: dict[int, Accepted | CineletError] = {}

    def accept(self, submissions: Sequence[Submission]) -> list[Accepted | CineletError]:
        """Settle all of them. Of equal new ones the first leads; the next turn finds it there and follows."""
        self._settle_keys(submissions)
        self._settle_repeats(submissions)
        while self._open(submissions):
            self._settle_reuse(self._open(submissions))
            leads = self._settle_refused(leading(self._open(submissions)))
            self._settle_room(leads)
            self._settle_quota(leads)
            self._settle_new(leads)
        self._give_back_keys(submissions)
        own = {s.job.id: self._answers[i] for i, s in enumerate(submissions)}
        return [self._resolved(self._answers[i], own) for i in range(len(submissions))]

    def _open(self, submissions: Sequence[Submission]) -> list[Numbered]:
        return [(i, submission) for i, submission in enumerate(submissions) if i not in self._answers]

    def _settle_keys(self, submissions: Sequence[Submission]) -> None:
        """Claim each idempotency key by insertion; a key that is taken leads to its job."""
        keyed = [(i, s) for i, s in enumerate(submissions) if s.idempotency_key is not None]
        if not keyed:
            return
        rows = [
            {
                "tenant": s.job.tenant,
                "key": s.idempotency_key,
                "body_digest": s.job.body_digest or "",
                "job_id": s.job.id,
                "created_at": self._now,
            }
            for _, s in sorted(keyed, key=lambda pair: (pair[1].job.tenant, pair[1].idempotency_key))
        ]
        self._insert_if_absent(idempotency_keys, rows)
        pairs = {(s.job.tenant, s.idempotency_key) for _, s in keyed}
        c = idempotency_keys.c
        query = select(idempotency_keys).where(tuple_(c.tenant, c.key).in_(sorted(pairs)))
        owners = {(row.tenant, row.key): row for row in self._connection.execute(query)}
        for i, submission in keyed:
            owner = owners[submission.job.tenant, submission.idempotency_key]
            if owner.body_digest != (submission.job.body_digest or ""):
                self._answers[i] = KeyReusedError("idempotency key: it was used before with another body; use a new key")
            elif owner.job_id != submission.job.id:
                self._answers[i] = self._repeat(owner.job_id, submissions)

    def _repeat(self, job_id: str, submissions: Sequence[Submission]) -> Accepted:
        """The earlier job: from the table, or from this same round."""
        row = self._connection.execute(select(jobs).where(jobs.c.id == job_id)).mappings().first()
        found = [to_job(row)] if row is not None else [s.job for s in submissions if s.job.id == job_id]
        if not found:
            raise InternalError("idempotency key: a key leads to a job that is no more", detail=job_id)
        return Accepted(job=found[0], kind="repeat")

    def _settle_repeats(self, submissions: Sequence[Submission]) -> None:
        """A client that says it tries again, with an equal body, means its first submission."""
        for i, submission in self._open(submissions):
            if not submission.is_repeat or submission.idempotency_key is not None or submission.job.body_digest is None:
                continue
            c = jobs.c
            query = (
                select(jobs)
                .where(c.tenant == submission.job.tenant, c.body_digest == submission.job.body_digest)
                .where(c.created_at > self._now - REPEAT_WINDOW_S, c.deleted_at.is_(None))
                .order_by(c.created_at.desc())
                .limit(1)
            )
            if row := self._connection.execute(query).mappings().first():
                self._answers[i] = Accepted(job=to_job(row), kind="repeat")

    def _settle_reuse(self, asking: Sequence[Numbered]) -> None:
        """A finished job of the same digest answers at once; one under way is followed. The digest holds the tenant."""
        sharing = [(i, s, s.job.digest) for i, s in asking if s.may_reuse and s.job.digest is not None]
        originals = find_originals(self._connection, {digest for _, _, digest in sharing}, self._now)
        reused: list[Job] = []
        for i, submission, digest in sharing:
            original = originals.get(digest)
            if original is None:
                continue
            if original.state == "succeeded":
                job = hit(submission.job, original, self._now)
            elif can_follow(submission.job, original):
                job = replace(submission.job, leader_id=original.id, reserved_s=0.0)
            else:
                continue
            reused.append(job)
            self._answers[i] = Accepted(job=job, kind=kind_of(job))
        self._insert(reused)

    def _settle_refused(self, asking: Sequence[Numbered]) -> list[Numbered]:
        """New work that admission had no room for; returns the others."""
        self._answers |= {i: s.refusal for i, s in asking if s.refusal is not None}
        return [(i, s) for i, s in asking if s.refusal is None]

    def _settle_room(self, asking: Sequence[Numbered]) -> None:
        """A tenant's waiting jobs are bounded."""
        limited = [(i, s, s.max_waiting) for i, s in asking if s.max_waiting is not None]
        if not limited:
            return
        names = {s.job.tenant for _, s, _ in limited}
        query = select(jobs.c.tenant, func.count()).where(jobs.c.tenant.in_(names), jobs.c.state.in_(WAITING)).group_by(jobs.c.tenant)
        waiting: Counter[str] = Counter({row[0]: row[1] for row in self._connection.execute(query)})
        for i, submission, limit in limited:
            tenant = submission.job.tenant
            if waiting[tenant] >= limit:
                message = f"queue: {waiting[tenant]} of your jobs wait already; at most {limit} may"
                self._answers[i] = RateLimitedError(message, retry_after_s=RETRY_AFTER_S)
            else:
                waiting[tenant] += 1

    def _settle_quota(self, asking: Sequence[Numbered]) -> None:
        """Reserve device time; a guarded update, so that two gateways together never give out more than there is."""
        charged = [(i, s) for i, s in asking if i not in self._answers and s.job.reserved_s > 0]
        t = tenants.c
        for i, submission in sorted(charged, key=lambda pair: pair[1].job.tenant):
            seconds = submission.job.reserved_s
            has_room = or_(t.quota_s.is_(None), t.used_s + t.reserved_s + seconds <= t.quota_s + DUST_S)
            change = update(tenants).where(t.id == submission.job.tenant, has_room).values(reserved_s=t.reserved_s + seconds)
            if self._connection.execute(change).rowcount == 0:
                self._answers[i] = QuotaError(f"quota: this clip needs {seconds:.1f} GPU-seconds and your account has fewer left")

    def _settle_new(self, asking: Sequence[Numbered]) -> None:
        """What was not refused is new work."""
        new = [(i, s.job) for i, s in asking if i not in self._answers]
        self._answers |= {i: Accepted(job=job, kind="new") for i, job in new}
        self._insert([job for _, job in new])

    def _give_back_keys(self, submissions: Sequence[Submission]) -> None:
        """A refused submission was never accepted, so its key is free again."""
        refused = [
            s.job.id for i, s in enumerate(submissions) if s.idempotency_key is not None and isinstance(self._answers[i], CineletError)
        ]
        if refused:
            self._connection.execute(delete(idempotency_keys).where(idempotency_keys.c.job_id.in_(refused)))

    def _insert(self, new: Sequence[Job]) -> None:
        if not new:
            return
        rows = [to_row(job) for job in new]
        self._connection.execute(insert(jobs), rows)
        for state in ("available", "scheduled", "succeeded"):
            announce(self._connection, [row for row in rows if row["state"] == state], state, self._now)

    def _insert_if_absent(self, table: Any, rows: list[dict[str, Any]]) -> None:
        dialect = sqlite if self._connection.dialect.name == "sqlite" else postgresql
        self._connection.execute(dialect.insert(table).on_conflict_do_nothing(), rows)

    @staticmethod
    def _resolved(answer: Accepted | CineletError, own: dict[str, Accepted | CineletError]) -> Accepted | CineletError:
        """A repetition of a submission of this same round gets what that one got."""
        if not isinstance(answer, Accepted) or answer.kind != "repeat":
            return answer
        first = own.get(answer.job.id)
        return replace(first, kind="repeat") if isinstance(first, Accepted) else first or answer


def leading(asking: Sequence[Numbered]) -> list[Numbered]:
    """Those that follow none before them: of equal ones the first, and each that starts before all equal ones that lead.

    One that leads behind a follower of the same digest waits for the next turn, and all after it, so that nobody follows who came later.
    """
    leads: list[Numbered] = []
    by_digest: dict[str, list[Job]] = {}
    followed: set[str | None] = set()
    for i, submission in asking:
        job, digest = submission.job, submission.job.digest if submission.may_reuse else None
        equals = by_digest.setdefault(digest, []) if digest is not None else []
        if any(can_follow(job, other) for other in equals):
            followed.add(digest)
        elif digest in followed:
            break
        else:
            leads.append((i, submission))
            equals.append(job)
    return leads


def can_follow(job: Job, other: Job | Original) -> bool:
    """Whether `job` may wait for the clip of an equal one that is under way: not where it would start sooner by itself."""
    return other.state != "scheduled" or other.available_at <= job.available_at


def kind_of(job: Job) -> Kind:
    """How an accepted job came to be, as far as its row tells."""
    if job.is_cached:
        return "hit"
    return "new" if job.leader_id is None else "follower"


def hit(job: Job, original: Original, now: float) -> Job:
    """`job` answered by the finished `original`: succeeded from the start, sharing its files."""
    return replace(
        job,
        state="succeeded",
        plan=original.plan,
        started_at=now,
        finished_at=now,
        expires_at=original.expires_at,
        result=original.result,
        report=original.report,
        digest=None,  # only originals are looked up: a popular clip has thousands of hits
        result_of=original.id,
        step=original.step,
        reserved_s=0.0,
        work_s=0.0,
        left_s=0.0,
    )
