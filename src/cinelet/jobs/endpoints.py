"""Where a tenant wants to be told by webhook, and the secrets that sign the messages."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, delete, func, insert, select, update
from ulid import ULID

from cinelet.errors import ConflictError, NotFoundError
from cinelet.jobs.database import Database
from cinelet.jobs.schema import deliveries, webhook_endpoints

OVERLAP_S = 24 * 3600.0
"""How long an old secret signs beside a new one."""
MAX_ENDPOINTS = 20
ID = re.compile(r"whe_[0-9A-HJKMNP-TV-Z]{26}")


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One receiver. `secret` is the newest; for a day after a rotation the one before may sign beside it."""

    id: str
    tenant: str
    name: str
    url: str
    secret: str
    event_types: Sequence[str]
    created_at: float
    updated_at: float
    is_disabled: bool = False


class Endpoints:
    """Receivers of a tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, tenant: str, *, name: str, url: str, event_types: Sequence[str]) -> Endpoint:
        """A new receiver with a fresh secret. Raises `ConflictError` where the tenant has `MAX_ENDPOINTS` already."""
        now = self._database.clock()
        endpoint = Endpoint(
            id=f"whe_{ULID()}",
            tenant=tenant,
            name=name,
            url=url,
            secret=new_secret(),
            event_types=list(event_types),
            created_at=now,
            updated_at=now,
        )
        row = {field: getattr(endpoint, field) for field in Endpoint.__dataclass_fields__}

        def work(connection: Connection) -> None:
            number = connection.execute(select(func.count()).where(webhook_endpoints.c.tenant == tenant)).scalar_one()
            if number >= MAX_ENDPOINTS:
                raise ConflictError(f"webhook endpoints: you have {number}, at most {MAX_ENDPOINTS} are allowed; delete one first")
            connection.execute(insert(webhook_endpoints).values(row))

        self._database.write(work)
        return endpoint

    def list(self, tenant: str) -> Sequence[Endpoint]:
        """All receivers, oldest first."""
        return self._select(tenant)

    def get(self, endpoint_id: str, tenant: str) -> Endpoint:
        """One receiver. Raises `NotFoundError`, without asking the database for what cannot be an id."""
        for endpoint in self._select(tenant, endpoint_id) if ID.fullmatch(endpoint_id) else ():
            return endpoint
        raise NotFoundError(f"webhook endpoint: {endpoint_id[:80]!r} is unknown")

    def change(self, endpoint_id: str, tenant: str, changes: Mapping[str, Any]) -> Endpoint:
        """Set name, url, event_types; enables it again. Raises `NotFoundError`."""
        self.get(endpoint_id, tenant)
        values = {**changes, "updated_at": self._database.clock(), "is_disabled": False}
        self._database.write(lambda c: c.execute(update(webhook_endpoints).where(_is(endpoint_id, tenant)).values(values)))
        return self.get(endpoint_id, tenant)

    def rotate_secret(self, endpoint_id: str, tenant: str, *, keep_old: bool) -> Endpoint:
        """A fresh secret; the old one signs beside it for a day where `keep_old`."""
        old = self.get(endpoint_id, tenant)
        now = self._database.clock()
        values = {
            "secret": new_secret(),
            "old_secret": old.secret if keep_old else None,
            "old_secret_until": now + OVERLAP_S,
            "updated_at": now,
        }
        self._database.write(lambda c: c.execute(update(webhook_endpoints).where(_is(endpoint_id, tenant)).values(values)))
        return self.get(endpoint_id, tenant)

    def delete(self, endpoint_id: str, tenant: str) -> None:
        """Forget a receiver and what it was still to be told. Raises `NotFoundError`."""
        self.get(endpoint_id, tenant)

        def work(connection: Connection) -> None:
            connection.execute(delete(webhook_endpoints).where(_is(endpoint_id, tenant)))
            connection.execute(delete(deliveries).where(deliveries.c.endpoint_id == endpoint_id))

        self._database.write(work)

    def _select(self, tenant: str, endpoint_id: str | None = None) -> Sequence[Endpoint]:
        columns = [webhook_endpoints.c[name] for name in Endpoint.__dataclass_fields__]
        query = select(*columns).where(webhook_endpoints.c.tenant == tenant).order_by(webhook_endpoints.c.id)
        if endpoint_id is not None:
            query = query.where(webhook_endpoints.c.id == endpoint_id)
        return self._database.read(lambda c: [Endpoint(**row) for row in c.execute(query).mappings()])


def new_secret() -> str:
    """`whsec_` and 24 random bytes in base64: 32 characters, no padding, as the strictest verifier wants it."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


def _is(endpoint_id: str, tenant: str) -> Any:
    return and_(webhook_endpoints.c.id == endpoint_id, webhook_endpoints.c.tenant == tenant)
