"""The public keys of a token issuer (JSON Web Key Set, RFC 7517), downloaded when needed and kept for a while.

Knows nothing of tokens. A key is bound to the algorithms the configuration allows for its kind: nothing a caller sends
can change how it is used.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2
import jwt

from cinelet.errors import InvalidValueError, UnavailableError

Fetch = Callable[[], Awaitable[bytes]]

FAMILIES = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "EC": ("ES256", "ES384", "ES512"),
    "OKP": ("EdDSA",),
}
"""Key type → algorithms (RFC 7518, 8037). Shared secrets (HS…) are no option: a public key must never become one."""

REFRESH_S = 300.0
"""A key that the issuer withdrew is refused after this long at the latest, while the key server answers."""
LIFETIME_S = 3600.0
"""How long keys are trusted when the key server is down."""
COOLDOWN_S = 30.0
"""Unknown key ids cause at most one download in this time, so that forged tokens cannot make us flood the key server."""
RETRY_S = 5.0
"""After a failed download no other is tried for this long; meanwhile callers get an answer at once."""
TIMEOUT_S = 5.0
MAX_BYTES = 262_144
MAX_KEYS = 100


@dataclass(frozen=True)
class PublicKey:
    """A key, and the algorithms it may be used with."""

    key: Any
    algorithms: tuple[str, ...]


class KeyServer:
    """Downloads the key set from `url`. The URL is the operator's, so proxies of the environment apply to it."""

    def __init__(self, url: str, *, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self.url = url
        self._transport = transport

    async def __call__(self) -> bytes:
        """The document as bytes. Raises `UnavailableError`."""
        try:
            async with (
                asyncio.timeout(TIMEOUT_S),
                httpx2.AsyncClient(transport=self._transport) as client,
                client.stream("GET", self.url) as answer,
            ):
                answer.raise_for_status()
                return await _read_bounded(answer)
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, ValueError) as error:
            raise UnavailableError("token keys: the key server does not answer as it should", detail=repr(error)) from error


class KeySet:
    """The issuer's keys by id. `fetch` brings the document; `clock` gives monotonic seconds.

    An issuer that rotates shows a new key at least `COOLDOWN_S` before signing with it: then no good token is ever refused.
    """

    def __init__(
        self, fetch: Callable[[], Awaitable[bytes]], algorithms: Sequence[str], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._algorithms = check_family(algorithms)
        self._clock = clock
        self._lock = asyncio.Lock()
        self._keys: dict[str, PublicKey] = {}
        self._loaded_at = self._tried_at = self._unknown_at = float("-inf")
        self._has_failed = False

    async def find(self, key_id: str) -> PublicKey | None:
        """The key, or None where the issuer has none of this id. Raises `UnavailableError` when that cannot be told now."""
        if self._is_worth_a_download(key_id) and not (self._lock.locked() and self._known(key_id)):
            async with self._lock:
                if self._is_worth_a_download(key_id):
                    await self._download(key_id)
        key = self._known(key_id)
        if key is None and (self._has_failed or not self._is_alive()):
            raise UnavailableError("token keys: the key server cannot be reached; try again", retry_after_s=RETRY_S)
        return key

    def _known(self, key_id: str) -> PublicKey | None:
        return self._keys.get(key_id) if self._is_alive() else None

    def _is_alive(self) -> bool:
        return self._clock() - self._loaded_at < LIFETIME_S

    def _is_worth_a_download(self, key_id: str) -> bool:
        now = self._clock()
        if now - self._loaded_at >= REFRESH_S:
            return now - self._tried_at >= (RETRY_S if self._has_failed else 0.0)
        return key_id not in self._keys and now - self._unknown_at >= COOLDOWN_S

    async def _download(self, key_id: str) -> None:
        now = self._tried_at = self._clock()
        if self._is_alive() and key_id not in self._keys:
            self._unknown_at = now
        try:
            self._keys = read_keys(await self._fetch(), self._algorithms)
        except UnavailableError:
            self._has_failed = True
        else:
            self._has_failed = False
            self._loaded_at = now


def check_family(algorithms: Sequence[str]) -> tuple[str, ...]:
    """`algorithms`, which must all fit one type of public key. Raises `InvalidValueError`."""
    for family in FAMILIES.values():
        if algorithms and set(algorithms) <= set(family):
            return tuple(algorithms)
    allowed = "; ".join(", ".join(family) for family in FAMILIES.values())
    raise InvalidValueError("token algorithms", ", ".join(algorithms), f"must all be of one of these families: {allowed}")


def read_keys(document: bytes, algorithms: Sequence[str]) -> dict[str, PublicKey]:
    """The usable signing keys of a key set; keys of other kinds are passed over. Raises `UnavailableError` for what is no key set."""
    try:
        entries = json.loads(document)["keys"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UnavailableError("token keys: the key server sent no key set", detail=repr(error)) from error
    if not isinstance(entries, list):
        raise UnavailableError("token keys: the key server sent no key set")
    keys = ((entry.get("kid"), _read_key(entry, algorithms)) for entry in entries[:MAX_KEYS] if isinstance(entry, dict))
    return {key_id: key for key_id, key in keys if isinstance(key_id, str) and key is not None}


def _read_key(entry: dict[str, Any], algorithms: Sequence[str]) -> PublicKey | None:
    named = entry.get("alg")
    allowed = tuple(name for name in algorithms if named is None or name == named)
    if not allowed or allowed[0] not in FAMILIES.get(str(entry.get("kty")), ()) or entry.get("use", "sig") != "sig" or "d" in entry:
        return None
    try:
        return PublicKey(jwt.PyJWK.from_dict(entry, allowed[0]).key, allowed)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None


async def _read_bounded(answer: httpx2.Response) -> bytes:
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > MAX_BYTES:
            raise UnavailableError(f"token keys: the key server sent more than {MAX_BYTES:,} bytes")
    return bytes(body)
