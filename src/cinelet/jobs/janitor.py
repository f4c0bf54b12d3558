"""What time does to jobs: scheduled ones become available, waiting ones expire, files and rows go when their days are over."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, and_, delete, or_, select, update
from sqlalchemy.orm import aliased

from cinelet.jobs.bell import Bell
from cinelet.jobs.database import Database
from cinelet.jobs.job import Failure
from cinelet.jobs.leases import finish
from cinelet.jobs.schema import idempotency_keys, jobs
from cinelet.jobs.states import FINAL, OPEN, WAITING

BATCH = 200
IS_LIVE = ("state", "lease_token", "checkpoint", "purged_at", "draft", "plan")
KEY_LIFE_S = 24 * 3600.0
"""How long an idempotency key protects: longer than any client retries."""
RETRY_LIFE_S = 24 * 3600.0
"""How long a job that ended without a result keeps its start image: so long it can be tried again as it was."""


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """A job whose files may go: none of the house's jobs needs them any longer."""

    job_id: str


class Janitor:
    """Small steps, each its own transaction, safe to run anywhere at any time. `retention_s` is the life of a final row."""

    def __init__(self, database: Database, bell: Bell, *, retention_s: float = 30 * 86400.0) -> None:
        self._database = database
        self._bell = bell
        self._retention_s = retention_s

    def wake_scheduled(self) -> int:
        """Scheduled jobs whose time has come wait from now on."""
        c = jobs.c
        change = update(jobs).where(c.state == "scheduled", c.available_at <= self._database.now()).values(state="available")
        count = self._database.write(lambda connection: connection.execute(change).rowcount)
        if count:
            self._bell.ring("work")
        return count

    def expire(self) -> int:
        """Waiting jobs whose deadline has passed end as expired."""
        c = jobs.c
        late = select(c.id).where(c.state.in_(WAITING), c.deadline_at < self._database.now()).limit(BATCH)
        failure = Failure(code="expired", message="the clip's deadline passed before it could start")

        def work(connection: Connection) -> list[str]:
            now = self._database.clock()
            return [
                changed
                for job_id in connection.execute(late).scalars().all()
                for changed in finish(connection, job_id, "expired", now, failure=failure)
            ]

        changed = self._database.write(work)
        if changed:
            self._bell.ring(*(f"job {job_id}" for job_id in changed), "outbox")
        return len(changed)

    def leftovers(self) -> list[str]:
        """Jobs whose files may be deleted: deleted or expired ones, or ended without a result, while no living job shares them.

        What ended without a result but has a start image keeps it for a while.
        """
        c = jobs.c
        other = aliased(jobs)
        now = self._database.now()
        may_go = or_(c.plan["image"].as_string().is_(None), c.finished_at < now - RETRY_LIFE_S)
        is_over = or_(c.deleted_at.is_not(None), c.expires_at < now, and_(c.state.in_(FINAL), c.state != "succeeded", may_go))
        is_shared = (
            select(other.c.id)
            .where(
                other.c.result_of == c.id,
                other.c.state == "succeeded",
                other.c.deleted_at.is_(None),
                or_(other.c.expires_at.is_(None), other.c.expires_at >= now),
            )
            .exists()
        )
        query = select(c.id).where(c.state.in_(FINAL), c.purged_at.is_(None), is_over, ~is_shared).limit(BATCH)
        return self._database.read(lambda connection: list(connection.execute(query).scalars()))

    def purged(self, job_id: str) -> None:
        """The files of a job are gone."""
        values = {"purged_at": self._database.clock(), "checkpoint": None, "preview": None}
        self._database.write(lambda c: c.execute(update(jobs).where(jobs.c.id == job_id).values(values)))

    def forget(self) -> int:
        """Remove rows that ended long ago and whose files are gone, and old idempotency keys."""
        now = self._database.clock()
        c = jobs.c
        old = and_(c.state.in_(FINAL), c.finished_at < now - self._retention_s, c.purged_at.is_not(None))

        def work(connection: Connection) -> int:
            k = idempotency_keys.c
            is_over = or_(k.created_at < now - KEY_LIFE_S, k.job_id.in_(select(c.id).where(old)))
            connection.execute(delete(idempotency_keys).where(is_over))
            return connection.execute(delete(jobs).where(old)).rowcount

        return self._database.write(work)

    def is_live(self, job_id: str, token: str) -> bool:
        """Whether files under this job and token may still be needed.

        They are the published ones, those of a running job, a checkpoint to go on from, a draft to look at, and a start image.
        """
        row = self._database.read(lambda c: c.execute(select(*(jobs.c[name] for name in IS_LIVE)).where(jobs.c.id == job_id)).first())
        if row is None or row.purged_at is not None:
            return False
        is_checkpoint = row.state in OPEN and row.checkpoint is not None and f"/{token}/" in row.checkpoint
        is_draft = row.draft is not None and f"/{token}/" in row.draft["key"]
        is_image = row.plan.get("image") == token
        return is_checkpoint or is_draft or is_image or row.lease_token == token
