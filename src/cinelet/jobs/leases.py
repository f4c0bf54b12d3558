"""The workers' side: claim, beat, checkpoint, and the three ends. Every change compares the lease token before it sets.

A worker that lost its lease (paused, cut off, too slow) changes no row, whatever it still sends. Attempts are counted at the claim,
so that a job that kills workers cannot do so for ever.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, case, insert, select, update

from cinelet.errors import ConflictError
from cinelet.jobs.bell import Bell
from cinelet.jobs.database import CommitUnknownError, Database
from cinelet.jobs.job import Beat, Candidate, Failure, Lease
from cinelet.jobs.outbox import announce
from cinelet.jobs.rows import to_job
from cinelet.jobs.schema import charges, jobs, tenants
from cinelet.jobs.states import FINAL, WAITING, State, sources_of
from cinelet.jobs.waiting import Waiting, may_run

MAX_ATTEMPTS = 3
"""Then a job is dead: it has ended three engines or workers, the last time alone."""
RETRY_DELAYS_S = (1.0, 5.0)
"""How long a job waits after its first and second failed attempt."""
MAX_CLAIM = 64


class LeaseLostError(ConflictError):
    """The token is no longer the job's: another worker has it, or it ended. Drop the work."""

    code = "lease_lost"


class Leases:
    """Hands out the right to work, and takes what came of it. `lease_s` bounds the silence of a worker."""

    def __init__(self, database: Database, bell: Bell, *, lease_s: float = 30.0, retention_s: float = 7 * 86400.0) -> None:
        self._database = database
        self._bell = bell
        self.lease_s = lease_s
        self._retention_s = retention_s

    @functools.cached_property
    def _waiting(self) -> Waiting:
        return Waiting(self._database.now())

    def candidates(self, models: Sequence[str], limit: int = 256) -> list[Candidate]:
        """Waiting jobs that may run now, oldest first; of a long line those that any order could want next, see `Waiting.find`."""
        return self._database.read(lambda connection: self._waiting.find(connection, models, limit))

    def claim(self, ids: Sequence[str], worker: str) -> list[Lease]:
        """Leases on those of `ids` that are still free, in their order. One attempt is spent on each."""
        if not ids:
            return []
        if len(ids) > MAX_CLAIM:
            raise ValueError(f"{len(ids)} ids; at most {MAX_CLAIM}")

        def work(connection: Connection) -> list[Lease]:
            c = jobs.c
            now = self._database.now()
            is_free = and_(c.id.in_(ids), may_run(now))
            free = select(c.id).where(is_free).with_for_update(skip_locked=True)
            leases = []
            rows = {row.id for row in connection.execute(free)}
            for job_id in (job_id for job_id in ids if job_id in rows):
                token = secrets.token_hex(16)
                values = {
                    "state": "running",
                    "lease_token": token,
                    "leased_until": now + self.lease_s,
                    "attempt": c.attempt + 1,
                    "worker": worker,
                    "started_at": case((c.started_at.is_(None), now), else_=c.started_at),
                    "stage": None,
                }
                change = update(jobs).where(c.id == job_id, c.state == "available").values(values).returning(*c)
                if row := connection.execute(change).mappings().first():
                    leases.append(Lease(job=to_job(row), token=token))
                    announce(connection, [row], "running", self._database.clock())
            return leases

        leases = self._database.write(work)
        self._bell.ring(*(f"job {lease.job.id}" for lease in leases))
        return leases

    def beat(self, beats: Sequence[Beat]) -> set[str]:
        """Renew leases and note progress; returns the ids whose lease is lost."""
        if not beats:
            return set()

        def work(connection: Connection) -> set[str]:
            until = self._database.now() + self.lease_s
            lost = set()
            for beat in beats:
                step = case((jobs.c.step < beat.step, beat.step), else_=jobs.c.step)  # progress never goes back, attempts do
                change = (
                    update(jobs)
                    .where(_is_held(beat.job_id, beat.token))
                    .values(leased_until=until, stage=beat.stage, step=step, left_s=beat.left_s)
                )
                if connection.execute(change).rowcount == 0:
                    lost.add(beat.job_id)
            return lost

        lost = self._database.write(work)
        self._bell.ring(*(f"job {beat.job_id}" for beat in beats if beat.job_id not in lost))
        return lost

    def checkpoint(self, lease: Lease, key: str, step: int) -> None:
        """Remember where the next attempt goes on. Raises `LeaseLostError`."""
        self._guarded(lease, {"checkpoint": key, "checkpoint_step": step})

    def preview(self, lease: Lease, key: str, step: int) -> None:
        """Remember the newest preview picture. Raises `LeaseLostError`."""
        self._guarded(lease, {"preview": key, "preview_step": step})
        self._bell.ring(f"job {lease.job.id}")

    def draft(self, lease: Lease, artifact: Mapping[str, Any]) -> None:
        """Show a draft until the clip is there. Raises `LeaseLostError`."""
        self._guarded(lease, {"draft": dict(artifact)})
        self._bell.ring(f"job {lease.job.id}")

    def release(self, lease: Lease) -> None:
        """Give the job back without spending the attempt: a soft stop. Its checkpoint stays. Raises `LeaseLostError`."""
        now = self._database.now()
        values = {
            "state": "available",
            "leased_until": None,
            "worker": None,
            "stage": None,
            "attempt": jobs.c.attempt - 1,
            "available_at": now,
            "left_s": jobs.c.work_s * (1 - jobs.c.checkpoint_step / float(lease.job.plan.num_inference_steps)),
        }
        self._guarded(lease, values)
        self._bell.ring("work", f"job {lease.job.id}")

    def succeed(self, lease: Lease, result: Mapping[str, Any], report: Mapping[str, Any], spent_s: float) -> None:
        """Publish the result, charge `spent_s` of device time and announce it, in one transaction. Raises `LeaseLostError`.

        Safe to call again after `CommitUnknownError` or any doubt: the same token finds its own success.
        """

        def work(connection: Connection) -> list[str]:
            now = self._database.clock()
            values = {
                "state": "succeeded",
                "result": dict(result),
                "report": dict(report),
                "finished_at": now,
                "expires_at": now + self._retention_s,
                "leased_until": None,
                "stage": None,
                "step": lease.job.plan.num_inference_steps,
            }
            change = update(jobs).where(_is_held(lease.job.id, lease.token)).values(values).returning(*jobs.c)
            row = connection.execute(change).mappings().first()
            if row is None:
                self._require_own_success(connection, lease)
                return []
            charge(connection, row, spent_s, now)
            announce(connection, [row], "succeeded", now)
            return [lease.job.id, *self._finish_followers(connection, row, now)]

        try:
            done = self._database.write(work)
        except CommitUnknownError:
            done = self._database.write(work)
        self._bell.ring(*(f"job {job_id}" for job_id in done), "outbox")

    def fail(self, lease: Lease, failure: Failure, *, may_retry: bool) -> State:
        """This attempt came to nothing. Another follows where `may_retry` and attempts are left; returns the new state.

        Failures cost the tenant nothing. Raises `LeaseLostError`.
        """

        def work(connection: Connection) -> tuple[State, list[str]]:
            row = connection.execute(select(jobs).where(_is_held(lease.job.id, lease.token)).with_for_update()).mappings().first()
            if row is None:
                raise LeaseLostError(f"job {lease.job.id}: its lease is lost")
            return end_attempt(connection, self._database, row, failure, may_retry=may_retry)

        state, changed = self._database.write(work)
        self._bell.ring(*(f"job {job_id}" for job_id in changed), "work", "outbox")
        return state

    def rescue(self, limit: int = 100) -> int:
        """Take jobs back from workers that fell silent; the dead ones fail. Returns how many were rescued or buried."""

        def work(connection: Connection) -> list[str]:
            c = jobs.c
            silent = (
                select(jobs)
                .where(c.state == "running", c.leased_until < self._database.now())
                .limit(limit)
                .with_for_update(skip_locked=True)
            )
            changed: list[str] = []
            for row in connection.execute(silent).mappings().all():
                failure = Failure(
                    code="attempts_exhausted", message=f"the clip could not be made in {row['attempt']} attempts; its workers fell silent"
                )
                changed += end_attempt(connection, self._database, row, failure, may_retry=True)[1]
            return changed

        changed = self._database.write(work)
        if changed:
            self._bell.ring(*(f"job {job_id}" for job_id in changed), "work", "outbox")
        return len(changed)

    def _guarded(self, lease: Lease, values: Mapping[str, Any]) -> None:
        change = update(jobs).where(_is_held(lease.job.id, lease.token)).values(dict(values))
        if self._database.write(lambda connection: connection.execute(change).rowcount) == 0:
            raise LeaseLostError(f"job {lease.job.id}: its lease is lost")

    def _require_own_success(self, connection: Connection, lease: Lease) -> None:
        c = jobs.c
        own = select(c.id).where(c.id == lease.job.id, c.state == "succeeded", c.lease_token == lease.token)
        if connection.execute(own).first() is None:
            raise LeaseLostError(f"job {lease.job.id}: its lease is lost; the result is dropped")

    def _finish_followers(self, connection: Connection, leader: RowMapping, now: float) -> list[str]:
        c = jobs.c
        values = {
            "state": "succeeded",
            "plan": leader["plan"],
            "result": leader["result"],
            "report": leader["report"],
            "started_at": leader["started_at"],
            "finished_at": now,
            "expires_at": leader["expires_at"],
            "result_of": leader["id"],
            "leader_id": None,
            "step": leader["step"],
        }
        is_waiting = and_(c.leader_id == leader["id"], c.state.in_(WAITING))
        rows = connection.execute(update(jobs).where(is_waiting).values(values).returning(*c)).mappings().all()
        for row in rows:
            give_back(connection, row)
        announce(connection, rows, "succeeded", now)
        return [row["id"] for row in rows]


def _is_held(job_id: str, token: str) -> Any:
    return and_(jobs.c.id == job_id, jobs.c.state == "running", jobs.c.lease_token == token)


def end_attempt(
    connection: Connection, database: Database, row: RowMapping, failure: Failure, *, may_retry: bool
) -> tuple[State, list[str]]:
    """Send a running job back to wait, or to its failure; returns its new state and the ids of all jobs that changed."""
    now = database.clock()
    c = jobs.c
    if may_retry and row["attempt"] < MAX_ATTEMPTS:
        delay = RETRY_DELAYS_S[min(row["attempt"], len(RETRY_DELAYS_S)) - 1]
        left_s = row["work_s"] * (1 - row["checkpoint_step"] / row["plan"]["num_inference_steps"])
        values = {
            "state": "available",
            "available_at": database.now() + delay,
            "left_s": left_s,
            "leased_until": None,
            "worker": None,
            "stage": None,
        }
        connection.execute(update(jobs).where(c.id == row["id"]).values(values))
        return "available", [row["id"]]
    return "failed", finish(connection, row["id"], "failed", now, failure=failure)


def finish(
    connection: Connection, job_id: str, state: State, now: float, *, failure: Failure | None = None, spent_s: float = 0.0
) -> list[str]:
    """End a job without a result: state, event, quota. Its followers go on without it. Returns the ids of all jobs that changed."""
    c = jobs.c
    values = {
        "state": state,
        "finished_at": now,
        "leased_until": None,
        "stage": None,
        "failure_code": None if failure is None else failure.code,
        "failure_message": None if failure is None else failure.message,
    }
    change = update(jobs).where(c.id == job_id, c.state.in_(sources_of(state))).values(values).returning(*c)
    row = connection.execute(change).mappings().first()
    if row is None:
        return []
    charge(connection, row, spent_s, now)
    announce(connection, [row], state, now)
    return [job_id, *promote(connection, row)]


def promote(connection: Connection, leader: RowMapping) -> list[str]:
    """The oldest follower of a job that ended without a result leads the others, and what was reserved for that job is now for it.

    The quota is not asked again: the follower was accepted. So a tenant may pass it by what the ended job had spent.
    """
    c, t = jobs.c, tenants.c
    followers = select(c.id).where(c.leader_id == leader["id"], c.state.not_in(FINAL)).order_by(c.id).with_for_update()
    ids = list(connection.execute(followers).scalars())
    if ids:
        connection.execute(update(jobs).where(c.id == ids[0]).values(leader_id=None, reserved_s=leader["reserved_s"]))
        connection.execute(update(jobs).where(c.id.in_(ids[1:])).values(leader_id=ids[0]))
    if ids and leader["reserved_s"] > 0:
        connection.execute(update(tenants).where(t.id == leader["tenant"]).values(reserved_s=t.reserved_s + leader["reserved_s"]))
    return ids


def charge(connection: Connection, row: RowMapping, seconds: float, now: float) -> None:
    """Charge a job that ended, once, and free what was reserved for it."""
    if seconds > 0:
        connection.execute(insert(charges).values(job_id=row["id"], tenant=row["tenant"], seconds=seconds, charged_at=now))
    give_back(connection, row, used_s=seconds)


def give_back(connection: Connection, row: RowMapping, used_s: float = 0.0) -> None:
    """Free a reservation; what was used of it stays used."""
    if row["reserved_s"] > 0 or used_s > 0:
        t = tenants.c
        change = update(tenants).where(t.id == row["tenant"])
        connection.execute(change.values(reserved_s=t.reserved_s - row["reserved_s"], used_s=t.used_s + used_s))
