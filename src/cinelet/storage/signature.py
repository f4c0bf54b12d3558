"""Links of our own to blobs in a folder, as S3 signs links to its objects. Nothing of HTTP: the gateway makes the URL and serves it.

A signature is HMAC-SHA-256 over the key and the second at which the link dies. Neither can be changed, no row in a database is
needed, and every gateway with the same secret can check it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

from cinelet.errors import InvalidValueError, NotFoundError
from cinelet.storage.key import is_key, parse_key
from cinelet.storage.port import MAX_URL_LIFETIME_S

MIN_SECRET_BYTES = 32
"""As long as the digest: RFC 2104 section 3 discourages shorter keys."""
MAX_CLOCK_SKEW_S = 60
"""How far the clocks of two gateways may differ before a fresh link of one looks too long-lived to the other."""
PURPOSE = b"cinelet blob link 1"
"""Keeps a signature from meaning anything where the same secret signs other things."""


class Signer:
    """Signs and checks with one `secret` of at least `MIN_SECRET_BYTES`; `clock` gives unix seconds."""

    def __init__(self, secret: bytes, clock: Callable[[], float]) -> None:
        if len(secret) < MIN_SECRET_BYTES:
            raise InvalidValueError("secret", f"a secret of {len(secret)} bytes", f"must have at least {MIN_SECRET_BYTES} bytes")
        self._secret = secret
        self._clock = clock

    def sign(self, key: str, expires_at: int) -> str:
        """The signature, 64 hexadecimal digits, of a link to `key` that dies at `expires_at` (whole unix seconds).

        Raises `InvalidValueError` for no key, and for a moment that is past or more than `MAX_URL_LIFETIME_S` away.
        """
        parse_key(key)
        now = self._clock()
        if not now < expires_at <= now + MAX_URL_LIFETIME_S:
            raise InvalidValueError("expires_at", expires_at, f"must be within the next {MAX_URL_LIFETIME_S:,} seconds")
        return self._signature(key, expires_at)

    def check(self, key: str, expires_at: int, signature: str) -> None:
        """Raise `NotFoundError` unless `sign` gave this signature for this key and moment, and the moment is yet to come.

        Forged, altered and outlived links get one answer: it tells nothing to whoever guesses.
        """
        now = self._clock()
        is_alive = now < expires_at <= now + MAX_URL_LIFETIME_S + MAX_CLOCK_SKEW_S
        if not is_alive or not is_key(key):
            raise invalid_link()
        if not hmac.compare_digest(self._signature(key, expires_at).encode(), signature.encode(errors="backslashreplace")):
            raise invalid_link()

    def _signature(self, key: str, expires_at: int) -> str:
        message = b"\n".join([PURPOSE, key.encode(), str(expires_at).encode()])
        return hmac.new(self._secret, message, hashlib.sha256).hexdigest()


def invalid_link() -> NotFoundError:
    """The one answer to every bad link."""
    return NotFoundError("signature: this link is not valid, or no longer; ask for a new one")
