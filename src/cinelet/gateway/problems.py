"""Every error as an HTTP answer: the one table from classes to status, type and code, and the body and headers that go with them.

The body is the one that clients of OpenAI's API read. Headers tell those clients whether, and when, to try again: they retry
408, 409, 429 and every 5xx by themselves unless told otherwise. Knows nothing of the web framework.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cinelet import errors
from cinelet.errors import CineletError, InvalidValueError

RETRIED = frozenset({408, 409, 429, *range(500, 600)})
"""Statuses after which the openai clients send the request again (openai-python 3.52, `_base_client.py`)."""
MAX_POLITE_WAIT_S = 60.0
"""Above this, clients of that API either ignore the wait or sleep it through; they are told not to retry instead."""
DEFAULT_WAIT_S = 2.0
"""Where an error may pass and nobody said when: longer than a database's restart of connections, shorter than patience."""
MAX_WAIT_S = 86_400.0
NAME = re.compile(r"[a-z0-9_]{1,40}")


@dataclass(frozen=True)
class Row:
    """One line of the table. `code` None means the class's own; `message` replaces one that speaks of the server's inside."""

    status: int
    type: str
    code: str | None = None
    message: str | None = None


TABLE: dict[type[CineletError], Row] = {
    errors.RequestError: Row(400, "invalid_request_error"),
    errors.UnusableValueError: Row(422, "invalid_request_error"),
    errors.TooLargeError: Row(413, "invalid_request_error"),
    errors.UnsupportedMediaError: Row(415, "invalid_request_error"),
    errors.AuthenticationError: Row(401, "authentication_error"),
    errors.PermissionDeniedError: Row(403, "permission_error"),
    errors.NotFoundError: Row(404, "not_found_error"),
    errors.GoneError: Row(410, "not_found_error"),
    errors.ConflictError: Row(409, "conflict_error"),
    errors.KeyReusedError: Row(422, "invalid_request_error"),
    errors.RateLimitedError: Row(429, "rate_limit_error"),
    errors.QuotaError: Row(429, "insufficient_quota"),
    errors.ModelFilesError: Row(503, "server_error", message="model: its files on this server are damaged or missing"),
    errors.UnavailableError: Row(503, "server_error"),
    errors.TimedOutError: Row(504, "server_error"),
    errors.InternalError: Row(500, "server_error", "internal", "internal error; report it with the x-request-id of this answer"),
}
"""By class; a class without a row takes its nearest base's. What is not in the tree at all is an `InternalError`."""


@dataclass(frozen=True)
class Problem:
    """An answer to an error: status, JSON body, headers."""

    status: int
    body: dict[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


def problem(error: CineletError) -> Problem:
    """The answer for `error`. Its `detail` stays behind: it is for logs."""
    row = row_of(type(error))
    message = error.message if row.message is None else row.message
    body = error_body(message, row.type, param_of(error), code_of(error, row))
    return Problem(row.status, body, headers_of(error, row.status))


def error_body(message: str, kind: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """The body of every answer that is an error, those of the web framework included."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def row_of(kind: type[CineletError]) -> Row:
    """The row of a class, or of its nearest base that has one."""
    return next((TABLE[base] for base in kind.__mro__ if base in TABLE), TABLE[errors.InternalError])


def param_of(error: CineletError) -> str | None:
    """The field that is at fault, if one is."""
    if isinstance(error, InvalidValueError):
        return error.field
    return "model" if isinstance(error, errors.ModelNotFoundError) else None


def code_of(error: CineletError, row: Row) -> str:
    """`invalid_size` and the like for a field's value; else the row's code, else the class's."""
    if type(error) is InvalidValueError and NAME.fullmatch(error.field):
        return f"invalid_{error.field}"
    return error.code if row.code is None else row.code


def headers_of(error: CineletError, status: int) -> dict[str, str]:
    """When to come back, and whether to. A wait is told in whole seconds and, for clients that read it, in milliseconds."""
    headers = {"www-authenticate": "Bearer"} if status == 401 else {}
    wait_s = wait_of(error, status)
    if wait_s is not None:
        headers["retry-after"] = str(math.ceil(wait_s))
        headers["retry-after-ms"] = str(math.ceil(wait_s * 1000))
    if status in RETRIED and (wait_s is None or wait_s > MAX_POLITE_WAIT_S or isinstance(error, errors.QuotaError)):
        headers["x-should-retry"] = "false"
    return headers


def wait_of(error: CineletError, status: int) -> float | None:
    """Seconds to wait before another try, or None where it is no use or the status does not call for one."""
    if status not in RETRIED:
        return None
    if error.retry_after_s is not None:
        return min(max(error.retry_after_s, 0.001), MAX_WAIT_S)
    return DEFAULT_WAIT_S if error.is_retryable else None
