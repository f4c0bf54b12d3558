"""Tokens of an identity provider (JWT, RFC 7519, with the advice of RFC 8725): checked, and read down to tenant and tier.

Knows nothing of accounts. Every fault of a token is an `AuthenticationError`; a token is never accepted because something
could not be asked.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt

from cinelet.errors import AuthenticationError, InvalidValueError, RequestError
from cinelet.gateway.access.key_set import KeySet, PublicKey
from cinelet.gateway.strict_json import parse_json
from cinelet.jobs.job import TIERS, Tier

MAX_TOKEN_BYTES = 8192
MAX_LEEWAY_S = 60.0
"""Clocks of servers that keep time at all agree far better than this."""
TENANT_FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@|-]{0,63}")
TYPES = {"jwt", "at+jwt", "application/at+jwt"}
"""What `typ` may say; `at+jwt` is RFC 9068's access token, providers older than it write JWT."""
FOREIGN_HEADERS = ("crit", "b64", "zip", "enc", "jku", "jwk", "x5u", "x5c")
"""Keys and extensions brought by the token itself: never wanted here, so never honoured."""
ID_TOKEN_CLAIMS = ("nonce", "at_hash", "c_hash", "s_hash")
"""Claims of OpenID Connect's ID token, which tells a client who logged in and opens no API."""


@dataclass(frozen=True, kw_only=True)
class TokenRules:
    """What is asked of tokens. `leeway_s` is 0 to 60. `tier_claim` may be missing from a token, `tenant_claim` may not."""

    issuer: str
    audience: str
    leeway_s: float = 30.0
    tenant_claim: str = "tenant"
    tier_claim: str = "tier"

    def __post_init__(self) -> None:
        if not 0 <= self.leeway_s <= MAX_LEEWAY_S:
            raise InvalidValueError("token leeway", self.leeway_s, f"must be 0 to {MAX_LEEWAY_S:g} seconds")
        for name in ("issuer", "audience", "tenant_claim", "tier_claim"):
            if not getattr(self, name):
                raise InvalidValueError(f"token {name}", "", "must not be empty")


@dataclass(frozen=True, kw_only=True)
class Claims:
    """What a good token says. `tier` is None where it says nothing of it."""

    subject: str
    tenant: str
    tier: Tier | None


class TokenChecker:
    """Checks tokens of one issuer. `clock` gives unix seconds."""

    def __init__(self, rules: TokenRules, keys: KeySet, *, clock: Callable[[], float] = time.time) -> None:
        self._rules = rules
        self._keys = keys
        self._clock = clock

    async def check(self, token: str) -> Claims:
        """The claims of a good token. Raises `AuthenticationError`, or `UnavailableError` where the keys cannot be had."""
        header, payload = take_apart(token)
        key_id = read_key_id(header)
        key = await self._keys.find(key_id)
        if key is None:
            raise AuthenticationError("token: the issuer has no key of this id")
        verify(token, key)
        self._check_times(payload)
        self._check_audience(payload)
        return self._read(payload)

    def _check_times(self, payload: dict[str, Any]) -> None:
        now, leeway = self._clock(), self._rules.leeway_s
        if now >= _instant(payload, "exp", required=True) + leeway:
            raise AuthenticationError("token: it has expired")
        for name in ("nbf", "iat"):
            if now < _instant(payload, name, required=False) - leeway:
                raise AuthenticationError(f"token: {name} lies in the future")

    def _check_audience(self, payload: dict[str, Any]) -> None:
        """Issuer and audience exactly; a list, or a token meant for several, is refused."""
        if payload.get("iss") != self._rules.issuer:
            raise AuthenticationError("token: it is from another issuer")
        if payload.get("aud") != self._rules.audience:
            raise AuthenticationError("token: it is meant for another audience")
        if any(name in payload for name in ID_TOKEN_CLAIMS) or payload.get("token_use", "access") != "access" or payload.get("typ") == "ID":
            raise AuthenticationError("token: it is an ID token; send the access token")

    def _read(self, payload: dict[str, Any]) -> Claims:
        subject, tenant = payload.get("sub"), payload.get(self._rules.tenant_claim)
        tier = payload.get(self._rules.tier_claim)
        if not isinstance(subject, str) or not subject.strip():
            raise AuthenticationError("token: sub is missing or empty")
        if not isinstance(tenant, str) or not TENANT_FORM.fullmatch(tenant):
            raise AuthenticationError(f"token: {self._rules.tenant_claim} must name a tenant in 1 to 64 letters, digits and ._:@|-")
        if tier is not None and tier not in TIERS:
            raise AuthenticationError(f"token: {self._rules.tier_claim} must be one of {', '.join(TIERS)}")
        return Claims(subject=subject, tenant=tenant, tier=tier)


def take_apart(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and payload of a signed token, not yet to be believed. Raises `AuthenticationError`."""
    if len(token) > MAX_TOKEN_BYTES:
        raise AuthenticationError(f"token: {len(token):,} bytes; at most {MAX_TOKEN_BYTES:,} are read")
    parts = token.split(".")
    if len(parts) != 3 or not token.isascii():
        raise AuthenticationError("token: must be a signed JWT of three parts")
    return _read_part(parts[0]), _read_part(parts[1])


def read_key_id(header: dict[str, Any]) -> str:
    """The id of the key that signed. Raises `AuthenticationError` for a header that asks for more than a known key."""
    if any(name in header for name in FOREIGN_HEADERS):
        raise AuthenticationError("token: its header must not bring keys or extensions")
    if str(header.get("typ", "JWT")).lower() not in TYPES:
        raise AuthenticationError("token: typ must be JWT or at+jwt")
    key_id = header.get("kid")
    if not isinstance(key_id, str):
        raise AuthenticationError("token: kid must name the key that signed it")
    return key_id


def verify(token: str, key: PublicKey) -> None:
    """Check the signature with the key and the algorithms configured for it. Raises `AuthenticationError`."""
    try:
        jwt.PyJWS(options={"enforce_minimum_key_length": True}).decode(token, key=key.key, algorithms=key.algorithms)
    except (jwt.PyJWTError, NotImplementedError, ValueError, TypeError) as error:
        raise AuthenticationError("token: the signature is not valid", detail=repr(error)) from error


def _read_part(part: str) -> dict[str, Any]:
    try:
        text = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True).decode("utf-8")
        document = parse_json(text, "token")
    except (binascii.Error, ValueError, RequestError) as error:
        raise AuthenticationError("token: it cannot be read", detail=str(error)) from error
    if not isinstance(document, dict):
        raise AuthenticationError("token: it cannot be read")
    return document


def _instant(payload: dict[str, Any], name: str, *, required: bool) -> float:
    if name not in payload and not required:
        return -math.inf
    value = payload.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise AuthenticationError(f"token: {name} must be a time in unix seconds")
    return float(value)
