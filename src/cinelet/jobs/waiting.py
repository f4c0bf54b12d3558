"""Which waiting jobs a scheduler reads: all of them, or of a long line those that any order could want next.

Workers ask between two clips, while the device is idle. So the statements are built once; building them took more than half of the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, and_, bindparam, func, or_, select, union

from cinelet.jobs.job import Candidate
from cinelet.jobs.rows import CANDIDATE, to_candidate
from cinelet.jobs.schema import jobs

COLUMNS = [jobs.c[name] for name in CANDIDATE]
LIMIT: BindParameter[int] = bindparam("limit")


class Waiting:
    """Reads them by a clock: `now` is the time as an expression, see `Database.now`."""

    def __init__(self, now: ColumnElement[float]) -> None:
        c = jobs.c
        may = and_(may_run(now), c.model.in_(bindparam("models", expanding=True)))
        is_hopeful = and_(may, c.due_at - c.left_s >= now)
        turn = func.row_number().over(partition_by=c.tenant, order_by=(c.due_at, c.id)).label("turn")
        turns = select(*COLUMNS, turn).where(may).subquery()
        firsts = select(*(turns.c[name] for name in CANDIDATE)).where(turns.c.turn == 1).limit(LIMIT).subquery()
        self._oldest = select(*COLUMNS).where(may).order_by(c.created_at, c.id).limit(LIMIT)
        self._best = union(_first(c.created_at, among=may), _first(c.due_at, among=is_hopeful), _first(c.left_s, among=may), select(firsts))

    def find(self, connection: Connection, models: Sequence[str], limit: int) -> list[Candidate]:
        """Oldest first: all, or the earliest due of the hopeful ones, the shortest, the oldest, and each tenant's first, up to `limit` of
        each."""
        given = {"models": list(models), "limit": limit}
        found = connection.execute(self._oldest, given).all()
        if len(found) >= limit:
            found = connection.execute(self._best, given).all()
        return sorted(map(to_candidate, found), key=lambda candidate: (candidate.created_at, candidate.id))


def may_run(now: ColumnElement[float]) -> ColumnElement[bool]:
    """Waiting, leading, its time come and its deadline not passed: then the janitor ends it."""
    c = jobs.c
    is_in_time = or_(c.deadline_at.is_(None), c.deadline_at >= now)
    return and_(c.state == "available", c.leader_id.is_(None), c.available_at <= now, is_in_time)


def _first(order: ColumnElement[Any], *, among: ColumnElement[bool]) -> Any:
    return select(select(*COLUMNS).where(among).order_by(order, jobs.c.id).limit(LIMIT).subquery())
