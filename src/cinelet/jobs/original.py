"""Whose work an equal request shares: a finished job's, else that of one under way. Knows digests, nothing of who asks.

A row that is found here stays as it is until the transaction ends: nobody follows a job that has ended, or shares files that were
given up meanwhile. On PostgreSQL share locks see to that, and advisory locks let in equal digests that nobody has yet one after the
other. A popular clip takes none of those: its hits do not wait for each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ARRAY, Connection, RowMapping, Select, Text, and_, bindparam, case, func, or_, select

from cinelet.jobs.schema import jobs
from cinelet.jobs.states import OPEN, State
from cinelet.video import Plan

DIGEST_LOCKS = 0x64696765
"""The group of PostgreSQL's advisory locks that lets equal digests in one after the other; an arbitrary number of our own."""
BEST_FIRST: dict[str, int] = {"succeeded": 0, "running": 1, "available": 1, "scheduled": 2}

_COLUMNS = [jobs.c[name] for name in ("id", "digest", "state", "available_at", "plan", "step", "result", "report", "expires_at")]
_IS_LASTING = or_(jobs.c.expires_at.is_(None), jobs.c.expires_at > bindparam("now"))
_IS_FINISHED = case((jobs.c.state == "succeeded", and_(jobs.c.result_of.is_(None), jobs.c.deleted_at.is_(None), _IS_LASTING)), else_=False)
_IS_LEADING = case((jobs.c.state.in_(OPEN), jobs.c.leader_id.is_(None)), else_=False)
"""Both as CASE, which no index answers: only the digest's is any good, and a planner without statistics took those of the states, and
read all jobs that wait (benchmarks/service.py: hits became slower with every job)."""
_ASKED_FOR = select(*_COLUMNS).where(jobs.c.digest.in_(bindparam("digests", expanding=True))).order_by(jobs.c.id).with_for_update(read=True)
_FINISHED = _ASKED_FOR.where(_IS_FINISHED)
_ANY = _ASKED_FOR.where(or_(_IS_FINISHED, _IS_LEADING))
_NUMBERS = (
    select(func.hashtext(func.unnest(bindparam("digests", type_=ARRAY(Text)))).label("number")).distinct().order_by("number").subquery()
)
_LOCK = select(func.count(func.pg_advisory_xact_lock(DIGEST_LOCKS, _NUMBERS.c.number)))
"""One order of locks for everybody, and one statement."""


@dataclass(frozen=True, kw_only=True)
class Original:
    """The columns of a job that its hits and followers share."""

    id: str
    state: State
    available_at: float
    plan: Plan
    step: int
    result: Mapping[str, Any] | None
    report: Mapping[str, Any]
    expires_at: float | None


def find_originals(connection: Connection, digests: Set[str], now: float) -> dict[str, Original]:
    """By digest; what is not there is to be made. Valid until the transaction ends."""
    if not digests:
        return {}
    if connection.dialect.name == "sqlite":  # the only writer
        return _best(connection, _ANY, digests, now)
    found = _best(connection, _FINISHED, digests, now)
    if others := digests - found.keys():
        connection.execute(_LOCK, {"digests": sorted(others)})
        found |= _best(connection, _ANY, others, now)
    return found


def _best(connection: Connection, query: Select[Any], digests: Set[str], now: float) -> dict[str, Original]:
    rows = connection.execute(query, {"digests": sorted(digests), "now": now}).mappings().all()
    best: dict[str, Original] = {}
    for row in sorted(rows, key=lambda row: BEST_FIRST[row["state"]]):
        if row["digest"] not in best:
            best[row["digest"]] = _original(row)
    return best


def _original(row: RowMapping) -> Original:
    fields = {name: row[name] for name in ("id", "state", "available_at", "step", "result", "report", "expires_at")}
    return Original(plan=Plan(**row["plan"]), **fields)
