"""From an `Authorization` header to the tenant behind it. Knows keys and tokens by their form only; nothing of routes.

What was found is remembered for `REMEMBERED_S`, so a revoked key may still open for that long, in each gateway process.
What was not found is not remembered: a new key works at once.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from cinelet.errors import AuthenticationError, InvalidValueError
from cinelet.gateway.access.token_checker import Claims, TokenChecker
from cinelet.jobs import Tenant, Tier
from cinelet.jobs.tenants import KEY_PREFIX, digest_of

REMEMBERED_S = 5.0
"""Long enough to spare the database a look-up for each poll, short enough that revoking a key is prompt."""
MAX_REMEMBERED = 10_000
MAX_HEADER_BYTES = 8192
"""The common bound of web servers for one header; a token with RSA-4096 and many claims stays below 4 KB."""
KEY_FORM = re.compile(KEY_PREFIX + r"[A-Za-z0-9_-]{43,128}")
"""32 bytes are 43 characters; what cannot be a key costs no look-up."""

How = Literal["open", "key", "token"]


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who is calling: the account, and how it was shown."""

    tenant: Tenant
    how: How

    @property
    def best_tier(self) -> Tier:
        """The best tier a request may ask for; where authentication is off, any."""
        return "vip" if self.how == "open" else self.tenant.tier


class Accounts(Protocol):
    """Where accounts are kept. The calls may block; they run in a thread."""

    def find_by_secret(self, secret: str) -> Tenant | None:
        """The account of a valid key, or None."""

    def find(self, tenant_id: str) -> Tenant | None:
        """The account, or None."""

    def ensure(self, tenant: Tenant) -> None:
        """Create an account where there is none."""


class Authenticator:
    """Tells callers by API key, and by token where `tokens` is given.

    With `open_tenant` authentication is off: every caller is that tenant, whatever the header says, since stock clients always
    send a key. Allow that only where `check_open` does. `clock` gives monotonic seconds.
    """

    def __init__(
        self,
        accounts: Accounts,
        *,
        tokens: TokenChecker | None = None,
        open_tenant: Tenant | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._accounts = accounts
        self._tokens = tokens
        self._open_tenant = open_tenant
        self._clock = clock
        self._remembered: dict[str, tuple[float, Tenant]] = {}

    async def authenticate(self, authorization: str | None) -> Caller:
        """The caller behind an `Authorization` header.

        Raises `AuthenticationError` when nothing good came, `UnavailableError` when nobody can tell right now.
        """
        if self._open_tenant is not None:
            return Caller(tenant=self._open_tenant, how="open")
        bearer = read_bearer(authorization)
        if bearer.startswith(KEY_PREFIX):
            return Caller(tenant=await self._by_key(bearer), how="key")
        if self._tokens is None:
            raise AuthenticationError(f"authorization: the key is not valid; keys begin with {KEY_PREFIX}")
        return Caller(tenant=await self._by_claims(await self._tokens.check(bearer)), how="token")

    async def _by_key(self, secret: str) -> Tenant:
        tenant = None
        if KEY_FORM.fullmatch(secret):
            tenant = await self._remember(f"key {digest_of(secret)}", lambda: self._accounts.find_by_secret(secret))
        if tenant is None:
            raise AuthenticationError("authorization: the key is not valid; it may have been revoked")
        return tenant

    async def _by_claims(self, claims: Claims) -> Tenant:
        """The account the token names, made on its first visit. A tier in the token counts for this call only."""
        known = await self._remember(f"tenant {claims.tenant}", lambda: self._welcome(claims))
        account = known if known is not None else Tenant(id=claims.tenant)
        return account if claims.tier is None else replace(account, tier=claims.tier)

    def _welcome(self, claims: Claims) -> Tenant | None:
        account = self._accounts.find(claims.tenant)
        if account is not None:
            return account
        self._accounts.ensure(Tenant(id=claims.tenant) if claims.tier is None else Tenant(id=claims.tenant, tier=claims.tier))
        return self._accounts.find(claims.tenant)

    async def _remember(self, name: str, look_up: Callable[[], Tenant | None]) -> Tenant | None:
        found_at, tenant = self._remembered.get(name, (float("-inf"), None))
        if tenant is not None and self._clock() - found_at < REMEMBERED_S:
            return tenant
        asked_at = self._clock()
        tenant = await asyncio.to_thread(look_up)
        self._remembered.pop(name, None)
        if tenant is not None:
            self._remembered[name] = (asked_at, tenant)
        if len(self._remembered) > MAX_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        return tenant


def read_bearer(authorization: str | None) -> str:
    """The credential of a `Bearer` header. Raises `AuthenticationError`."""
    if authorization is None:
        raise AuthenticationError("authorization: no key came; send the header Authorization: Bearer <key>")
    if len(authorization) > MAX_HEADER_BYTES:
        raise AuthenticationError(f"authorization: {len(authorization):,} bytes; at most {MAX_HEADER_BYTES:,} are read")
    scheme, _, bearer = authorization.strip(" ").partition(" ")
    bearer = bearer.lstrip(" ")
    if scheme.lower() != "bearer" or not bearer or not bearer.isascii() or not bearer.isprintable() or " " in bearer:
        raise AuthenticationError("authorization: must be Bearer and one key or token")
    return bearer


def check_open(host: str) -> None:
    """Raise `InvalidValueError` unless a server bound to `host` can be reached from this machine alone."""
    try:
        is_loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = host == "localhost"
    if not is_loopback:
        raise InvalidValueError("host", host, "must be 127.0.0.1, ::1 or localhost while authentication is off")
