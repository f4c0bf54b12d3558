"""Which workers are there. Only for estimates, readiness and people: leases hold the truth about who works on what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from cinelet.jobs.database import Database
from cinelet.jobs.schema import workers

SIGN_IN_EVERY_S = 5.0
ABSENT_AFTER_S = 20.0
"""Four missed signatures."""


@dataclass(frozen=True, kw_only=True)
class Present:
    """A worker that signed in lately. `slots` jobs run there at once."""

    name: str
    models: Sequence[str]
    slots: int
    seen_at: float


class Roster:
    """Workers sign in every few seconds while they can work."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._signed_at: dict[str, float] = {}

    def sign_in(self, name: str, models: Sequence[str], slots: int) -> None:
        """Say that a worker is there; calls in between the interval cost nothing."""
        now = self._database.clock()
        if now - self._signed_at.get(name, 0.0) < SIGN_IN_EVERY_S:
            return
        row: dict[str, Any] = {"name": name, "models": list(models), "slots": slots, "seen_at": self._database.now()}
        changes = {key: value for key, value in row.items() if key != "name"}
        dialect = sqlite if self._database.is_sqlite else postgresql
        statement = dialect.insert(workers).values(row).on_conflict_do_update(index_elements=["name"], set_=changes)
        self._database.write(lambda connection: connection.execute(statement))
        self._signed_at[name] = now

    def sign_out(self, name: str) -> None:
        """Say that a worker goes."""
        self._signed_at.pop(name, None)
        self._database.write(lambda connection: connection.execute(delete(workers).where(workers.c.name == name)))

    def present(self) -> list[Present]:
        """Who is there."""
        query = select(workers).where(workers.c.seen_at > self._database.now() - ABSENT_AFTER_S).order_by(workers.c.name)
        return self._database.read(lambda connection: [Present(**row) for row in connection.execute(query).mappings()])
