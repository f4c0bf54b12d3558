"""Every error as a gRPC answer: the one table from classes to status codes. Code, field and wait are those of the HTTP answer."""

from __future__ import annotations

from dataclasses import dataclass

from grpc import StatusCode

from cinelet import errors
from cinelet.errors import CineletError
from cinelet.gateway.problems import problem

TABLE: dict[type[CineletError], StatusCode] = {
    errors.RequestError: StatusCode.INVALID_ARGUMENT,
    errors.AuthenticationError: StatusCode.UNAUTHENTICATED,
    errors.PermissionDeniedError: StatusCode.PERMISSION_DENIED,
    errors.NotFoundError: StatusCode.NOT_FOUND,
    errors.NotReadyError: StatusCode.FAILED_PRECONDITION,
    errors.ConflictError: StatusCode.ABORTED,
    errors.KeyReusedError: StatusCode.ALREADY_EXISTS,
    errors.RateLimitedError: StatusCode.RESOURCE_EXHAUSTED,
    errors.ModelFilesError: StatusCode.UNAVAILABLE,
    errors.UnavailableError: StatusCode.UNAVAILABLE,
    errors.OutOfMemoryError: StatusCode.RESOURCE_EXHAUSTED,
    errors.TimedOutError: StatusCode.DEADLINE_EXCEEDED,
    errors.InternalError: StatusCode.INTERNAL,
}
"""By class; a class without a row takes its nearest base's. What is not in the tree at all is an `InternalError`."""


@dataclass(frozen=True)
class Status:
    """An answer to an error. `http_status` is the one HTTP would give, for metrics."""

    code: StatusCode
    message: str
    metadata: tuple[tuple[str, str], ...]
    http_status: int


def status_of(error: CineletError) -> Status:
    """The answer for `error`. Its `detail` stays behind: it is for logs."""
    told = problem(error)
    body = told.body["error"]
    notes = {
        "cinelet-code": body["code"],
        "cinelet-param": body["param"],
        "retry-after-ms": told.headers.get("retry-after-ms"),
    }
    metadata = tuple((name, value) for name, value in notes.items() if value is not None and value.isascii() and value.isprintable())
    return Status(code_of(type(error)), body["message"], metadata, told.status)


def code_of(kind: type[CineletError]) -> StatusCode:
    """The code of a class, or of its nearest base that has one."""
    return next((TABLE[base] for base in kind.__mro__ if base in TABLE), StatusCode.INTERNAL)
