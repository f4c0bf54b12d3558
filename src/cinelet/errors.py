"""Every error cinelet raises on purpose, grouped by what the caller can do about it.

    CineletError
    ├── RequestError        change the request
    │   ├── MalformedError       send a body that can be read
    │   └── InvalidValueError    one field, what came, what is allowed
    │       ├── UnknownFieldError     leave the field out
    │       ├── UnusableValueError    well-formed, but nothing that can be kept: NUL, half a surrogate pair, NaN, 2^63
    │       ├── TooLargeError         send less
    │       └── UnsupportedMediaError send it in another format
    ├── AuthenticationError show who is calling
    ├── PermissionDeniedError  ask for the right, or call as someone else
    ├── NotFoundError       stop asking for what is not there
    │   ├── ModelNotFoundError   name another model
    │   ├── NotReadyError        it is being made: ask again later
    │   └── GoneError            it was there; make it anew
    ├── ConflictError       settle a conflict with what already exists
    │   └── KeyReusedError       take a new idempotency key for a new request
    ├── RateLimitedError    wait as long as it says, then try again
    │   └── QuotaError           ask for a larger quota, or wait for the next period
    ├── ModelFilesError     repair or replace files on disk
    ├── UnavailableError    try again, or elsewhere
    │   ├── OutOfMemoryError     ask for less, or for a larger device
    │   ├── TimedOutError        the answer did not come in time; the work may still go on
    │   └── EngineDiedError      the engine process ended in the middle; the next call starts a fresh one
    └── InternalError       report it: our bug

Each class has a stable `code` and says with `is_retryable` whether the same call may succeed later; `retry_after_s` is how
long to wait before that, where it is known. The message is public; what must stay private goes into `detail`, which only
logs may show. Being cancelled is not an error. This module knows nothing of HTTP: the gateway keeps the one table from
classes to status codes.
"""

from __future__ import annotations

from pathlib import PurePath

MAX_SHOWN = 80
"""How many characters of a caller's value a message repeats."""


class CineletError(Exception):
    """Base of all errors that cinelet raises on purpose."""

    code = "error"
    is_retryable = False

    def __init__(self, message: str, *, detail: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.retry_after_s = retry_after_s


class RequestError(CineletError):
    """The request cannot be served as it stands; a changed one can."""

    code = "invalid_request"


class MalformedError(RequestError):
    """The body cannot be read: broken, contradictory, or too deep."""

    code = "malformed"


class InvalidValueError(RequestError):
    """One field has a value outside what is allowed."""

    code = "invalid_value"

    def __init__(self, field: str, value: object, limit: str) -> None:
        super().__init__(f"{field}: {show(value)} is not allowed; {limit}")
        self.field = field
        self.value = value
        self.limit = limit

    def __reduce__(self) -> tuple[type[InvalidValueError], tuple[str, object, str]]:
        return type(self), (self.field, self.value, self.limit)


class UnknownFieldError(InvalidValueError):
    """A field nobody here knows, from a caller who asked to be told (strict mode)."""

    code = "unknown_parameter"


class UnusableValueError(InvalidValueError):
    """A well-formed value that no store or engine can carry: NUL, half a surrogate pair, NaN, infinity, beyond 64 bits."""

    code = "unusable_value"


class TooLargeError(InvalidValueError):
    """More bytes or parts than are taken."""

    code = "too_large"


class UnsupportedMediaError(InvalidValueError):
    """A content type, compression or file format that is not read here."""

    code = "unsupported_media"


class AuthenticationError(CineletError):
    """No key or token came, or not a good one."""

    code = "invalid_api_key"


class PermissionDeniedError(CineletError):
    """A known caller who may not do this."""

    code = "permission_denied"


class NotFoundError(CineletError):
    """What was named does not exist, or not for this caller."""

    code = "not_found"


class ModelNotFoundError(NotFoundError):
    """No model of this name is served here."""

    code = "model_not_found"


class NotReadyError(NotFoundError):
    """A clip that is still being made has no content yet."""

    code = "video_not_ready"
    is_retryable = True


class GoneError(NotFoundError):
    """What was named existed, and its time is over."""

    code = "gone"


class ConflictError(CineletError):
    """The call contradicts something that already exists. With `retry_after_s` it is one that settles by itself."""

    code = "conflict"


class KeyReusedError(ConflictError):
    """An idempotency key came again with another request."""

    code = "idempotency_key_reused"


class RateLimitedError(CineletError):
    """Too much for now: a rate, or a full queue."""

    code = "rate_limit_exceeded"
    is_retryable = True

    def __init__(self, message: str, retry_after_s: float | None = None, *, detail: str = "") -> None:
        super().__init__(message, detail=detail, retry_after_s=retry_after_s)


class QuotaError(RateLimitedError):
    """The caller's share of a period is used up; trying again soon is no use."""

    code = "insufficient_quota"
    is_retryable = False


class ModelFilesError(CineletError):
    """A checkpoint on disk is missing, truncated, altered, or of a refused format."""

    code = "model_files"


class UnavailableError(CineletError):
    """Not now or not here."""

    code = "unavailable"
    is_retryable = True


class OutOfMemoryError(UnavailableError):
    """The device cannot hold this work, even alone and with the smallest decode."""

    code = "out_of_memory"
    is_retryable = False


class TimedOutError(UnavailableError):
    """The answer did not come in the time that was allowed."""

    code = "timed_out"


class EngineDiedError(UnavailableError):
    """The engine process ended while it held this work."""

    code = "engine_died"


class InternalError(CineletError):
    """Our own invariant broke."""

    code = "internal"


def show(value: object) -> str:
    """`value` on one printable line of at most `MAX_SHOWN` characters, for messages; of a long path the end, where its name is."""
    is_path = isinstance(value, PurePath)
    text = str(value) if is_path or isinstance(value, str) else repr(value)
    printable = text.encode("unicode_escape").decode("ascii") if not text.isprintable() else text
    if len(printable) <= MAX_SHOWN:
        cut = printable
    else:
        cut = f"…{printable[-MAX_SHOWN:]}" if is_path else f"{printable[:MAX_SHOWN]}… ({len(text):,} characters)"
    return f"{cut!r}" if is_path or isinstance(value, str) else cut
