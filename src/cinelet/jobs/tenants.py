"""Who may ask, and how much: tenants, API keys, quotas, usage. Only digests of keys are stored; the secret is shown once."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from cinelet.errors import InvalidValueError, NotFoundError
from cinelet.jobs.database import Database
from cinelet.jobs.job import TIERS, Tier
from cinelet.jobs.schema import api_keys, charges, tenants

KEY_PREFIX = "cinelet_"
KEY_BYTES = 32
"""256 random bits: a plain digest is enough, nobody guesses them."""


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """An account. None means no bound; `quota_s` is device time that may still be used in all."""

    id: str
    tier: Tier = "standard"
    max_waiting: int | None = None
    requests_per_minute: int | None = None
    quota_s: float | None = None
    used_s: float = 0.0
    reserved_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class ApiKey:
    """A key as its owner may see it again: never the secret."""

    id: str
    tenant: str
    name: str
    hint: str
    created_at: float
    revoked_at: float | None


class Tenants:
    """Accounts and their keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, tenant: Tenant) -> None:
        """Create an account, or change its tier and bounds; what it used stays. Raises `InvalidValueError`."""
        self._insert(tenant, may_change=True)

    def ensure(self, tenant: Tenant) -> None:
        """Create an account where there is none; one that exists stays as it is. Raises `InvalidValueError`."""
        self._insert(tenant, may_change=False)

    def _insert(self, tenant: Tenant, *, may_change: bool) -> None:
        if tenant.tier not in TIERS:
            raise InvalidValueError("tier", tenant.tier, f"must be one of {', '.join(TIERS)}")
        if not tenant.id or len(tenant.id) > 64 or not tenant.id.isprintable():
            raise InvalidValueError("tenant", tenant.id, "must have 1 to 64 printable characters")
        bounds: dict[str, Any] = {name: getattr(tenant, name) for name in ("tier", "max_waiting", "requests_per_minute", "quota_s")}
        row = {"id": tenant.id, "created_at": self._database.clock(), "used_s": 0.0, "reserved_s": 0.0, **bounds}
        dialect = sqlite if self._database.is_sqlite else postgresql
        new = dialect.insert(tenants).values(row)
        statement = new.on_conflict_do_update(index_elements=["id"], set_=bounds) if may_change else new.on_conflict_do_nothing()
        self._database.write(lambda connection: connection.execute(statement))

    def find(self, tenant_id: str) -> Tenant | None:
        """The account, or None."""
        columns = [tenants.c[name] for name in Tenant.__dataclass_fields__]
        row = self._database.read(lambda c: c.execute(select(*columns).where(tenants.c.id == tenant_id)).mappings().first())
        return None if row is None else Tenant(**row)

    def create_key(self, tenant: str, name: str) -> tuple[str, ApiKey]:
        """A new key and its secret, which is shown now and never again. The account must exist."""
        if self.find(tenant) is None:
            raise NotFoundError(f"tenant: {tenant!r} is unknown")
        secret = KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)
        key = ApiKey(
            id=f"key_{secrets.token_hex(8)}",
            tenant=tenant,
            name=name[:200],
            hint=secret[-4:],
            created_at=self._database.clock(),
            revoked_at=None,
        )
        row = {**{field: getattr(key, field) for field in ApiKey.__dataclass_fields__}, "digest": digest_of(secret)}
        self._database.write(lambda connection: connection.execute(insert(api_keys).values(row)))
        return secret, key

    def keys(self) -> list[ApiKey]:
        """All keys, oldest first."""
        columns = [api_keys.c[name] for name in ApiKey.__dataclass_fields__]
        query = select(*columns).order_by(api_keys.c.created_at)
        return self._database.read(lambda c: [ApiKey(**row) for row in c.execute(query).mappings()])

    def revoke_key(self, key_id: str) -> None:
        """End a key. Raises `NotFoundError`."""
        change = update(api_keys).where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None)).values(revoked_at=self._database.clock())
        if self._database.write(lambda connection: connection.execute(change).rowcount) == 0:
            raise NotFoundError(f"key: {key_id[:80]!r} is unknown or revoked already")

    def find_by_secret(self, secret: str) -> Tenant | None:
        """The account of a valid key, or None."""
        columns = [tenants.c[name] for name in Tenant.__dataclass_fields__]
        query = select(*columns).join(api_keys, api_keys.c.tenant == tenants.c.id)
        query = query.where(api_keys.c.digest == digest_of(secret), api_keys.c.revoked_at.is_(None))
        row = self._database.read(lambda connection: connection.execute(query).mappings().first())
        return None if row is None else Tenant(**row)

    def usage_s(self, tenant: str, since: float) -> float:
        """Device seconds charged since an instant."""

        def work(connection: Connection) -> float:
            query = select(func.coalesce(func.sum(charges.c.seconds), 0.0)).where(charges.c.tenant == tenant, charges.c.charged_at >= since)
            return float(connection.execute(query).scalar_one())

        return self._database.read(work)


def digest_of(secret: str) -> str:
    """What is stored of a key."""
    return hashlib.sha256(secret.encode()).hexdigest()
