"""What must be told: events for streams, deliveries for webhooks. Written in the transaction of the change they tell of.

An event is told at least once under one `event_id`; receivers know repetitions by it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, delete, func, insert, select, text, update

from cinelet.jobs.database import Database
from cinelet.jobs.identifier import ULIDS
from cinelet.jobs.schema import deliveries, outbox, webhook_endpoints
from cinelet.jobs.states import EVENTS, State

TOLD_BY_WEBHOOK = ("video.completed", "video.failed")
"""The other events are for streams only."""


MAX_SEQ = 2**63 - 1
DRAWING = 1 << 62
"""Flags the advisory locks of PostgreSQL that mark from where on a transaction draws event numbers."""
MARK_DRAWING = text("SELECT pg_advisory_xact_lock_shared(:flag + (SELECT last_value - 1 + is_called::int FROM outbox_seq_seq))")
OLDEST_MARK = text(
    "SELECT min((classid::bigint << 32) | objid::bigint) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1"
    " AND classid::bigint << 32 >= :flag AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
LISTENING = (
    select(*(webhook_endpoints.c[name] for name in ("id", "tenant", "url", "event_types")))
    .where(webhook_endpoints.c.tenant.in_(bindparam("tenants", expanding=True)), webhook_endpoints.c.is_disabled.is_(False))
    .with_for_update(read=True)
)
"""The endpoints of some tenants, held: one that is deleted takes its deliveries with it. Built once, since each hit asks it."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that happened to a job. `seq` orders the events of a store and resumes a stream."""

    seq: int
    event_id: str
    job_id: str
    type: str
    created_at: float


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One event on its way to one URL. `secrets` sign it; None: the tenant's own does. `attempt` counts finished tries. `due_at` is when
    the next one was due as this was read: who holds the message by `move` is the only one to try.
    """

    id: int
    event_id: str
    job_id: str
    tenant: str
    type: str
    url: str
    created_at: float
    due_at: float
    attempt: int
    secrets: Sequence[str] | None


def announce(connection: Connection, rows: Iterable[RowMapping | dict[str, Any]], state: State, now: float) -> None:
    """Write the events of jobs that have come to `state`, and deliveries to whoever asked. Rows need id, tenant, callback_url."""
    kind = EVENTS[state]
    events = [
        {
            "event_id": f"evt_{ULIDS.generate()}",
            "job_id": row["id"],
            "tenant": row["tenant"],
            "type": kind,
            "created_at": now,
            "to": row["callback_url"],
        }
        for row in rows
    ]
    if not events:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(MARK_DRAWING, {"flag": DRAWING})
    connection.execute(insert(outbox), [{key: value for key, value in event.items() if key != "to"} for event in events])
    if kind in TOLD_BY_WEBHOOK:
        _address(connection, events, now)


def _address(connection: Connection, events: list[dict[str, Any]], now: float) -> None:
    endpoints = connection.execute(LISTENING, {"tenants": sorted({event["tenant"] for event in events})}).all()
    rows = []
    for event in events:
        targets = [(None, event["to"])] if event["to"] else []
        targets += [(e.id, e.url) for e in endpoints if e.tenant == event["tenant"] and event["type"] in e.event_types]
        rows += [
            {
                **{key: event[key] for key in ("event_id", "job_id", "tenant", "type", "created_at")},
                "endpoint_id": endpoint,
                "url": url,
                "attempt": 0,
                "next_attempt_at": now,
            }
            for endpoint, url in targets
        ]
    if rows:
        connection.execute(insert(deliveries), rows)


class Outbox:
    """Reads events for streams, and hands out deliveries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def events(self, tenant: str, after: int, limit: int = 500) -> list[Event]:
        """The tenant's events after `after`, oldest first."""
        c = outbox.c
        columns = (c.seq, c.event_id, c.job_id, c.type, c.created_at)

        def work(connection: Connection) -> list[Event]:
            is_asked = (c.tenant == tenant) & (c.seq > after) & (c.seq <= _settled(connection))
            query = select(*columns).where(is_asked).order_by(c.seq).limit(limit)
            return [Event(**row) for row in connection.execute(query).mappings()]

        return self._database.read(work)

    def last_seq(self) -> int:
        """The newest event's number; 0 where there is none. Whoever goes on after it misses none that comes."""

        def work(connection: Connection) -> int:
            settled = _settled(connection)
            newest = connection.execute(select(func.max(outbox.c.seq))).scalar()
            return 0 if newest is None else min(newest, settled)

        return self._database.read(work)

    def due(self, now: float, limit: int, without: Collection[str] = ()) -> list[Delivery]:
        """Deliveries whose time has come, oldest first, but none to the URLs in `without`."""
        d, e = deliveries.c, webhook_endpoints.c
        query = (
            select(
                d.seq,
                d.event_id,
                d.job_id,
                d.tenant,
                d.type,
                d.url,
                d.created_at,
                d.next_attempt_at,
                d.attempt,
                d.endpoint_id,
                e.secret,
                e.old_secret,
                e.old_secret_until,
            )
            .select_from(deliveries.outerjoin(webhook_endpoints, d.endpoint_id == e.id))
            .where(d.next_attempt_at <= now, d.url.not_in(without))
            .order_by(d.next_attempt_at)
            .limit(limit)
        )
        return self._database.read(lambda connection: [_delivery(row, now) for row in connection.execute(query).mappings()])

    def next_due_at(self, without: Collection[str] = ()) -> float | None:
        """When the next delivery is due that does not go to a URL in `without`, or None."""
        query = select(func.min(deliveries.c.next_attempt_at)).where(deliveries.c.url.not_in(without))
        return self._database.read(lambda connection: connection.execute(query).scalar())

    def move(self, delivery_id: int, from_at: float, to_at: float) -> bool:
        """Move the next try from one instant to another; False where it stands elsewhere by now. Of many who move it, one does."""
        is_there = (deliveries.c.seq == delivery_id) & (deliveries.c.next_attempt_at == from_at)
        change = update(deliveries).where(is_there).values(next_attempt_at=to_at)
        return self._database.write(lambda connection: connection.execute(change).rowcount) == 1

    def delivered(self, delivery_id: int) -> None:
        """The receiver took it."""
        values = {"delivered_at": self._database.clock(), "next_attempt_at": None, "failure": None}
        self._database.write(lambda c: c.execute(update(deliveries).where(deliveries.c.seq == delivery_id).values(**values)))

    def failed(self, delivery_id: int, next_attempt_at: float | None, reason: str) -> None:
        """This try failed; None: no other follows. What was delivered meanwhile, or given up, stays so."""
        values = {"attempt": deliveries.c.attempt + 1, "next_attempt_at": next_attempt_at, "failure": reason[:500]}
        is_open = (deliveries.c.seq == delivery_id) & deliveries.c.next_attempt_at.is_not(None)
        self._database.write(lambda c: c.execute(update(deliveries).where(is_open).values(values)))

    def disable(self, url: str) -> None:
        """The receiver is gone for good (410): nothing more is sent there."""

        def work(connection: Connection) -> None:
            connection.execute(update(webhook_endpoints).where(webhook_endpoints.c.url == url).values(is_disabled=True))
            waiting = (deliveries.c.url == url) & deliveries.c.next_attempt_at.is_not(None)
            connection.execute(update(deliveries).where(waiting).values(next_attempt_at=None, failure="the endpoint is gone"))

        self._database.write(work)

    def replay(self, event_id: str, now: float) -> int:
        """Send an event once more to all who should have it; returns to how many."""
        dead = (deliveries.c.event_id == event_id) & deliveries.c.next_attempt_at.is_(None)
        return self._database.write(lambda c: c.execute(update(deliveries).where(dead).values(next_attempt_at=now, attempt=0)).rowcount)

    def clean(self, older_than: float) -> int:
        """Forget events and finished deliveries from before `older_than`."""

        def work(connection: Connection) -> int:
            finished = deliveries.c.next_attempt_at.is_(None)
            connection.execute(delete(deliveries).where(deliveries.c.created_at < older_than, finished))
            return connection.execute(delete(outbox).where(outbox.c.created_at < older_than)).rowcount

        return self._database.write(work)


def _settled(connection: Connection) -> int:
    """Up to which number no event is still to come.

    Numbers are drawn before the commit, so on PostgreSQL a larger one may be seen first, and a stream that went on after it would
    miss the smaller. Every writer therefore marks where it began to draw. The newest number is read before the marks, the marks
    before the events: what was drawn by then is either marked or committed.
    """
    if connection.dialect.name == "sqlite":
        return MAX_SEQ
    newest = connection.execute(text("SELECT last_value FROM outbox_seq_seq")).scalar_one()
    mark = connection.execute(OLDEST_MARK, {"flag": DRAWING}).scalar()
    return int(newest if mark is None else min(newest, mark - DRAWING))


def _delivery(row: RowMapping, now: float) -> Delivery:
    secrets = None
    if row["endpoint_id"] is not None:
        is_rotating = row["old_secret"] is not None and (row["old_secret_until"] or 0) > now
        secrets = [row["secret"], row["old_secret"]] if is_rotating else [row["secret"]]
    keys = ("event_id", "job_id", "tenant", "type", "url", "created_at", "attempt")
    return Delivery(id=row["seq"], due_at=row["next_attempt_at"], secrets=secrets, **{key: row[key] for key in keys})
