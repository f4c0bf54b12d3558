"""An answer of the service that is no success, as an error of the tree. The client's side of the gateway's table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cinelet.errors import (
    AuthenticationError,
    CineletError,
    ConflictError,
    GoneError,
    KeyReusedError,
    ModelNotFoundError,
    NotFoundError,
    NotReadyError,
    PermissionDeniedError,
    QuotaError,
    RateLimitedError,
    RequestError,
    UnavailableError,
)
from cinelet.sdk.exchange import Answer
from cinelet.sdk.retry import retry_after_s

BY_CODE: dict[str, type[CineletError]] = {
    kind.code: kind for kind in (GoneError, KeyReusedError, ModelNotFoundError, NotReadyError, QuotaError)
}
BY_STATUS: dict[int, type[CineletError]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    410: GoneError,
    429: RateLimitedError,
}
"""Any other 4xx is a `RequestError`, all the rest an `UnavailableError`."""

MAX_MESSAGE = 1000
"""Characters of a service's message that are repeated. Ours are shorter; a proxy's error page is not."""


def error_of(answer: Answer, now: float) -> CineletError:
    """The error that `answer` means. `now` is the unix time. Its `detail` holds the request id for the service's operators."""
    problem = _problem(answer.body)
    code, message = problem.get("code"), problem.get("message")
    text = message[:MAX_MESSAGE] if isinstance(message, str) and message else f"url: the service answered with status {answer.status}"
    kind = (BY_CODE.get(code) if isinstance(code, str) else None) or BY_STATUS.get(answer.status) or _by_class(answer.status)
    detail = f"status {answer.status}, request id {answer.headers.get('x-request-id', 'unknown')}"
    return kind(text, retry_after_s=retry_after_s(answer.headers, now), detail=detail)


def _by_class(status: int) -> type[CineletError]:
    return RequestError if 400 <= status < 500 else UnavailableError


def _problem(body: bytes) -> Mapping[str, Any]:
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return error if isinstance(error, Mapping) else {}
