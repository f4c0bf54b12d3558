"""What the job store promises, as a small model in plain Python, and the checks that hold the real tables against it.

The model knows no SQL, no locks, no time but the instant it is given: one record a job, changed by the rules that the
documents state. I1 to I7 are the invariants of the reliability reference; `check` looks at all of them after every step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import select

from cinelet.errors import NotFoundError
from cinelet.jobs import Job
from cinelet.jobs.leases import MAX_ATTEMPTS, RETRY_DELAYS_S
from cinelet.jobs.schema import charges, deliveries, jobs, outbox, tenants
from tests.support.world import World

OPEN = {"scheduled", "available", "running"}
WAITING = {"scheduled", "available"}
FINAL_EVENTS = {"video.completed", "video.failed"}
TENANTS = ("ann", "bob")
TABLES = [select(table).order_by(*table.primary_key.columns) for table in (jobs, outbox, deliveries, charges, tenants)]
NEVER = "video_local_7ZZZZZZZZZZZZZZZZZZZZZZZZZ"


@dataclass
class Record:
    """A job as it should be."""

    id: str
    tenant: str
    state: str
    available_at: float
    deadline_at: float | None
    digest: str | None
    body: str
    reserved_s: float
    work_s: float
    callback_url: str | None
    attempt: int = 0
    token: str | None = None
    leased_until: float = 0.0
    step: int = 0
    checkpoint_step: int = 0
    leader: str | None = None
    result_token: str | None = None
    is_shared: bool = False
    charged_s: float = 0.0
    is_deleted: bool = False


class Model:
    """All records, the keys that were taken, and what each account should show."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.keys: dict[tuple[str, str], tuple[str, str]] = {}
        self.quota_s: dict[str, float] = {}

    def used_s(self, tenant: str) -> float:
        """What was charged."""
        return sum(record.charged_s for record in self.records.values() if record.tenant == tenant)

    def reserved_s(self, tenant: str) -> float:
        """What open jobs hold."""
        return sum(record.reserved_s for record in self.records.values() if record.tenant == tenant and record.state in OPEN)

    def expected_answer(self, job: Job, key: str | None, leader: str | None) -> tuple[str, str | None]:
        """What `accept` should say of a submission: (kind or refusal, id of an earlier job); the model takes it in.

        `leader` is whom the store chose to follow, where there was a choice.
        """
        body = job.body_digest or ""
        if key is not None and (job.tenant, key) in self.keys:
            owner_body, owner = self.keys[job.tenant, key]
            return ("repeat", owner) if owner_body == body else ("reused", None)
        answer = self._take(job, leader)
        if key is not None and answer[0] != "quota":
            self.keys[job.tenant, key] = (body, job.id)
        return answer

    def _take(self, job: Job, leader: str | None) -> tuple[str, str | None]:
        record = Record(
            id=job.id,
            tenant=job.tenant,
            state=job.state,
            available_at=job.available_at,
            deadline_at=job.deadline_at,
            digest=job.digest,
            body=job.body_digest or "",
            reserved_s=job.reserved_s,
            work_s=job.work_s,
            callback_url=job.callback_url,
        )
        like = [other for other in self.records.values() if other.digest == job.digest] if job.digest is not None else []
        done = [other for other in like if other.state == "succeeded" and not other.is_deleted and not other.is_shared]
        under_way = [other for other in like if other.state in OPEN and other.leader is None]
        leads = [other for other in under_way if other.state != "scheduled" or other.available_at <= job.available_at]
        if done:
            record = replace(record, state="succeeded", result_token=done[0].result_token, is_shared=True, reserved_s=0.0)
            kind = "hit"
        elif leads:
            assert leader in {other.id for other in leads}, f"I1: {job.id} follows {leader}, not one of {[other.id for other in leads]}"
            record = replace(record, leader=leader, reserved_s=0.0)
            kind = "follower"
        elif self.used_s(job.tenant) + self.reserved_s(job.tenant) + job.reserved_s > self.quota_s[job.tenant] + 1e-6:
            return "quota", None
        else:
            kind = "new"
        self.records[job.id] = record
        return kind, None

    def is_free(self, record: Record, now: float) -> bool:
        """Whether a worker may claim it."""
        is_in_time = record.deadline_at is None or record.deadline_at >= now
        return is_in_time and record.state == "available" and record.leader is None and record.available_at <= now

    def claim(self, job_id: str, token: str, leased_until: float) -> None:
        """A worker took it."""
        record = self.records[job_id]
        record.state, record.token, record.leased_until = "running", token, leased_until
        record.attempt += 1

    def is_held(self, job_id: str, token: str) -> bool:
        """Whether `token` is the right one."""
        record = self.records[job_id]
        return record.state == "running" and record.token == token

    def succeed(self, job_id: str, spent_s: float) -> None:
        """The holder published; followers share it."""
        leader = self.records[job_id]
        leader.state, leader.result_token, leader.charged_s = "succeeded", leader.token, spent_s
        for follower in self._followers(job_id):
            follower.state, follower.result_token, follower.is_shared, follower.leader = "succeeded", leader.token, True, None

    def end(self, job_id: str, state: str, charged_s: float = 0.0) -> None:
        """It ended without a result; the oldest follower leads the others, with its reservation."""
        record = self.records[job_id]
        record.state, record.charged_s = state, charged_s
        followers = self._followers(job_id)
        for heir in followers[:1]:
            heir.reserved_s = record.reserved_s
        for follower in followers:
            follower.leader = None if follower is followers[0] else followers[0].id

    def end_attempt(self, job_id: str, now: float, *, may_retry: bool) -> None:
        """An attempt came to nothing."""
        record = self.records[job_id]
        if may_retry and record.attempt < MAX_ATTEMPTS:
            record.state, record.available_at = "available", now + RETRY_DELAYS_S[record.attempt - 1]
        else:
            self.end(job_id, "failed")

    def _followers(self, job_id: str) -> list[Record]:
        found = [record for record in self.records.values() if record.leader == job_id and record.state in OPEN]
        return sorted(found, key=lambda record: record.id)


class Oracle:
    """Holds a world against a model."""

    def __init__(self, world: World, model: Model) -> None:
        self._world = world
        self._model = model
        self._finals: dict[str, Any] = {}

    def check(self) -> None:
        """I1 to I4, I6 and that no event goes astray. Raises AssertionError that names the invariant."""
        tables = self._world.store.database.read(lambda connection: [connection.execute(query).all() for query in TABLES])
        rows = {row.id: row for row in tables[0]}
        records = self._model.records
        assert set(records) <= set(rows), f"I1: accepted and lost: {set(records) - set(rows)}"
        assert set(rows) <= set(records), f"I3: never accepted: {set(rows) - set(records)}"
        for job_id, row in rows.items():
            self._check_row(row, records[job_id], rows)
        self._check_told(tables[1], tables[2])
        self._check_money(tables[3], tables[4])

    def check_answers(self, tenant: str) -> None:
        """I7: what a tenant sees is its own, and of others it learns nothing."""
        own = [record.id for record in self._model.records.values() if record.tenant == tenant and not record.is_deleted]
        page = self._world.store.register.list(tenant, limit=100, order="asc")
        assert [job.id for job in page.jobs] == sorted(own)[:100], f"I7: the list of {tenant}"
        foreign = [record.id for record in self._model.records.values() if record.tenant != tenant]
        for job_id in (*foreign, NEVER):
            with pytest.raises(NotFoundError) as refused:
                self._world.store.register.get(job_id, tenant)
            assert refused.value.message == f"video: {job_id!r} is unknown", "I7: the answer tells that the job exists"

    def check_leftovers(self) -> None:
        """I4: no file that a living job shows is up for deletion, and all that nobody needs are."""
        rows = {row.id: row for row in self._world.rows(jobs)}
        kept = {row.result_of or row.id for row in rows.values() if row.state == "succeeded" and row.deleted_at is None}
        over = {row.id for row in rows.values() if row.state not in OPEN and (row.state != "succeeded" or row.deleted_at is not None)}
        leftovers = set(self._world.store.janitor.leftovers())
        assert not kept & leftovers, f"I4: files that somebody needs are up for deletion: {kept & leftovers}"
        assert leftovers == over - kept, f"I4: files that nobody needs stay: {over - kept - leftovers}"

    def _check_row(self, row: Any, record: Record, rows: dict[str, Any]) -> None:
        name = f"{row.id}: {row.state}"
        assert row.state == record.state, f"I1: {name}, expected {record.state}"
        assert row.attempt == record.attempt, f"I1: {name}, attempt {row.attempt}, expected {record.attempt}"
        assert row.attempt <= MAX_ATTEMPTS, f"I1: {name}, attempt {row.attempt}"
        assert (row.checkpoint_step, row.step) >= (0, 0)
        assert row.checkpoint_step == record.checkpoint_step, f"I4: {name}, checkpoint at {row.checkpoint_step}"
        if row.state in OPEN:
            assert row.leader_id == record.leader, f"I1: {name} follows {row.leader_id}, expected {record.leader}"
        if row.state in OPEN and row.leader_id is not None:
            leader = rows[row.leader_id]
            assert leader.state in OPEN, f"I1: {name} follows {leader.id}, which is {leader.state}"
            assert leader.leader_id is None, f"I1: {name} follows a follower"
        published = None if row.result is None else row.result["video"]["key"].split("/")[1]
        assert published == record.result_token, f"I4: {name}, files of {published}, expected {record.result_token}"
        if row.id in self._finals:
            end = (row.state, row.result, row.finished_at, row.attempt, row.failure_code)
            assert end == self._finals[row.id], f"I2: {name} changed after its end"
        elif row.state not in OPEN:
            self._finals[row.id] = (row.state, row.result, row.finished_at, row.attempt, row.failure_code)

    def _check_told(self, events: Sequence[Any], told: Sequence[Any]) -> None:
        records = self._model.records
        finals = Counter(event.job_id for event in events if event.type in FINAL_EVENTS)
        ended = [record for record in records.values() if record.state not in OPEN]
        assert finals == Counter(record.id for record in ended), f"I2: final events {finals}"
        for event in events:
            assert event.job_id in records, f"I3: an event of {event.job_id}, never accepted"
            assert event.tenant == records[event.job_id].tenant, "I7: an event for another tenant"
        sent = Counter(delivery.job_id for delivery in told)
        assert sent == Counter(record.id for record in ended if record.callback_url), f"I2: deliveries {sent}"

    def _check_money(self, charged: Sequence[Any], accounts: Sequence[Any]) -> None:
        due = {record.id: record.charged_s for record in self._model.records.values() if record.charged_s}
        assert {row.job_id: row.seconds for row in charged} == pytest.approx(due), f"I6: charges {charged}, expected {due}"
        for account in accounts:
            reserved_s, used_s = self._model.reserved_s(account.id), self._model.used_s(account.id)
            assert account.reserved_s == pytest.approx(reserved_s), f"I6: {account.id} reserved {account.reserved_s}, not {reserved_s}"
            assert account.used_s == pytest.approx(used_s), f"I6: {account.id} used {account.used_s}, not {used_s}"
