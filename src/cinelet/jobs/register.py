"""The clients' side: look up, list, cancel, delete. Another tenant's job is as unknown as one that never was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, Connection, and_, bindparam, func, or_, select, update

from cinelet.errors import InvalidValueError, NotFoundError
from cinelet.jobs.bell import Bell
from cinelet.jobs.database import Database
from cinelet.jobs.identifier import is_id
from cinelet.jobs.job import Job, Tier
from cinelet.jobs.leases import finish
from cinelet.jobs.rows import to_job
from cinelet.jobs.schema import jobs
from cinelet.jobs.states import FINAL

MAX_PAGE = 100
MAX_RUNNING = 4096
"""More devices than one database serves."""
_IS_OWNED = and_(jobs.c.id == bindparam("job_id"), jobs.c.tenant == bindparam("owner"), jobs.c.deleted_at.is_(None))
_OWNED = select(jobs).where(_IS_OWNED)
_RUNNING = select(jobs).where(jobs.c.state == "running").order_by(jobs.c.started_at.desc(), jobs.c.id).limit(bindparam("limit"))
"""Built once, since pollers and quotes ask them many times a second."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some of a tenant's jobs, in order; `has_more` where others follow."""

    jobs: Sequence[Job]
    has_more: bool


@dataclass(frozen=True, kw_only=True)
class Load:
    """What waits and runs, by tier. `work_s` is predicted device time; `oldest_at` the acceptance of the oldest waiting job."""

    waiting: dict[Tier, int]
    waiting_s: float
    running: int
    running_s: float
    oldest_at: float | None


class Register:
    """Jobs as their owners see them."""

    def __init__(self, database: Database, bell: Bell, *, lease_s: float) -> None:
        self._database = database
        self._bell = bell
        self._lease_s = lease_s

    def get(self, job_id: str, tenant: str) -> Job:
        """The tenant's job. Raises `NotFoundError`."""
        if not is_id(job_id):
            raise _unknown(job_id)
        given = {"job_id": job_id, "owner": tenant}
        row = self._database.read(lambda connection: connection.execute(_OWNED, given).mappings().first())
        if row is None:
            raise _unknown(job_id)
        return to_job(row)

    def find(self, job_id: str) -> Job | None:
        """Any job, deleted ones too, for the house's own use."""
        query = select(jobs).where(jobs.c.id == job_id)
        row = self._database.read(lambda connection: connection.execute(query).mappings().first())
        return None if row is None else to_job(row)

    def find_many(self, ids: Sequence[str]) -> dict[str, Job]:
        """Those of `ids` that exist."""
        query = select(jobs).where(jobs.c.id.in_(ids))
        rows = self._database.read(lambda connection: connection.execute(query).mappings().all())
        return {row["id"]: to_job(row) for row in rows}

    def recent(self, model: str, limit: int) -> Sequence[Job]:
        """The newest jobs that this model itself finished: what their time tells of the next."""
        c = jobs.c
        query = (
            select(jobs).where(c.model == model, c.state == "succeeded", c.result_of.is_(None)).order_by(c.finished_at.desc()).limit(limit)
        )
        return self._database.read(lambda connection: [to_job(row) for row in connection.execute(query).mappings()])

    def list(self, tenant: str, *, after: str | None = None, limit: int = 20, order: Literal["asc", "desc"] = "desc") -> Page:
        """A page of the tenant's jobs by age, newest first unless `order` is asc. Raises `InvalidValueError` for an unknown `after`."""
        if not 0 <= limit <= MAX_PAGE:
            raise InvalidValueError("limit", limit, f"must be a whole number from 0 to {MAX_PAGE}")
        if after is not None and not is_id(after):
            raise InvalidValueError("after", after, "must be the id of a video of a page before")
        c = jobs.c
        position = (c.created_at, c.id)
        newest_first = order == "desc"
        query = select(jobs).where(c.tenant == tenant, c.deleted_at.is_(None))

        def work(connection: Connection) -> Page:
            page = query
            if after is not None:
                mark = connection.execute(select(*position).where(c.id == after, c.tenant == tenant)).first()
                if mark is None:
                    raise InvalidValueError("after", after, "must be the id of a video of a page before")
                page = page.where(_beyond(mark[0], mark[1], newest_first=newest_first))
            page = page.order_by(*(part.desc() if newest_first else part.asc() for part in position)).limit(limit + 1)
            rows = connection.execute(page).mappings().all()
            return Page(jobs=[to_job(row) for row in rows[:limit]], has_more=len(rows) > limit)

        return self._database.read(work)

    def running(self, limit: int = MAX_RUNNING) -> Sequence[Job]:
        """What the devices are at, the last begun first: whoever was begun before on the same device waits parked."""
        return self._database.read(lambda c: [to_job(row) for row in c.execute(_RUNNING, {"limit": limit}).mappings()])

    def left_s(self, job: Job) -> float:
        """Device seconds that are left of a job: of a running one what its worker told last, less the time since."""
        if job.state != "running" or job.leased_until is None:
            return job.left_s
        told_at = job.leased_until - self._lease_s  # a word of a worker renews its lease
        return max(0.0, job.left_s - max(0.0, self._database.clock() - told_at))

    def cancel(self, job_id: str, tenant: str) -> Job:
        """Stop the work, keep the record. A job that has ended stays as it is. Raises `NotFoundError`."""
        self._end(self.get(job_id, tenant))
        return self.get(job_id, tenant)

    def delete(self, job_id: str, tenant: str) -> None:
        """Stop the work and forget the job; its files go when no other job shares them. Raises `NotFoundError`."""
        self._end(self.get(job_id, tenant))
        given = {"job_id": job_id, "owner": tenant}
        change = update(jobs).where(_IS_OWNED).values(deleted_at=self._database.clock())
        self._database.write(lambda c: c.execute(change, given))

    def load(self) -> Load:
        """What waits and what runs."""
        c = jobs.c
        query = (
            select(c.state, c.tier, func.count(), func.sum(c.left_s), func.min(c.created_at))
            .where(c.state.in_(("available", "running")), c.leader_id.is_(None))
            .group_by(c.state, c.tier)
        )
        rows = self._database.read(lambda connection: connection.execute(query).all())
        waiting = [row for row in rows if row[0] == "available"]
        running = [row for row in rows if row[0] == "running"]
        return Load(
            waiting={row[1]: row[2] for row in waiting},
            waiting_s=sum(row[3] for row in waiting),
            running=sum(row[2] for row in running),
            running_s=sum(row[3] for row in running),
            oldest_at=min((row[4] for row in waiting), default=None),
        )

    def _end(self, job: Job) -> None:
        """Cancel what has not ended; a running job's finished steps are charged."""
        if job.is_final:
            return

        def work(connection: Connection) -> list[str]:
            row = connection.execute(select(jobs).where(jobs.c.id == job.id).with_for_update()).mappings().one()
            if row["state"] in FINAL:
                return []
            share = row["step"] / row["plan"]["num_inference_steps"] if row["state"] == "running" else 0.0
            return finish(connection, job.id, "cancelled", self._database.clock(), spent_s=share * row["work_s"])

        changed = self._database.write(work)
        self._bell.ring(f"gone {job.id}", *(f"job {job_id}" for job_id in changed), "work", "outbox")


def _beyond(created_at: float, job_id: str, *, newest_first: bool) -> ColumnElement[bool]:
    c = jobs.c
    if newest_first:
        return or_(c.created_at < created_at, and_(c.created_at == created_at, c.id < job_id))
    return or_(c.created_at > created_at, and_(c.created_at == created_at, c.id > job_id))


def _unknown(job_id: str) -> NotFoundError:
    return NotFoundError(f"video: {job_id[:80]!r} is unknown")
