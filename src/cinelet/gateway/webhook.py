"""A webhook message: its body, and the signature by which a receiver knows it (Standard Webhooks 1.0, symmetric).

Knows nothing of where it goes. The body tells only that something happened and to which clip; the receiver asks for the rest.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Sequence

from cinelet.errors import RequestError

SECRET_PREFIX = "whsec_"  # noqa: S105 - the prefix of secrets is none


def event_body(event_id: str, type: str, job_id: str, created_at: float) -> bytes:  # noqa: A002 - the field's name on the wire
    """The JSON that is signed and sent, byte for byte the same at each try. `created_at` is unix seconds."""
    event = {"id": event_id, "object": "event", "created_at": int(created_at), "type": type, "data": {"id": job_id}}
    return json.dumps(event, separators=(",", ":")).encode()


def signed_headers(event_id: str, body: bytes, secrets: Sequence[str], now: float) -> dict[str, str]:
    """The `webhook-…` headers of a message sent at `now`, unix seconds; receivers refuse one older than five minutes.

    One signature a secret, so that a receiver may change over from one to the next. Raises `RequestError` for what is no secret.
    """
    timestamp = str(int(now))
    signed = b".".join((event_id.encode(), timestamp.encode(), body))
    signatures = (base64.b64encode(hmac.digest(key_of(secret), signed, hashlib.sha256)).decode() for secret in secrets)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def key_of(secret: str) -> bytes:
    """The signing key in a `whsec_…` secret. The error never shows the secret."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestError(f"webhook secret: must be {SECRET_PREFIX} and base64") from error
    if not key or not secret.startswith(SECRET_PREFIX):
        raise RequestError(f"webhook secret: must be {SECRET_PREFIX} and base64")
    return key
