"""Every error cinelet raises on purpose, grouped by what the caller can do about it.

    CineletError
    ├── RequestError        change the request
    │   └── InvalidValueError    one field, what came, what is allowed
    ├── NotFoundError       stop asking for what is not there
    ├── ConflictError       settle a conflict with what already exists
    ├── ModelFilesError     repair or replace files on disk
    ├── UnavailableError    try again, or elsewhere
    │   ├── OutOfMemoryError     ask for less, or for a larger device
    │   └── EngineDiedError      the engine process ended in the middle; the next call starts a fresh one
    └── InternalError       report it: our bug

Each class has a stable `code` and says with `is_retryable` whether the same call may succeed later. The message is
public; what must stay private goes into `detail`, which only logs may show. Being cancelled is not an error. This
module knows nothing of HTTP: the gateway keeps the one table from classes to status codes.
"""

from __future__ import annotations

MAX_SHOWN = 80
"""How many characters of a caller's value a message repeats."""


class CineletError(Exception):
    """Base of all errors that cinelet raises on purpose."""

    code = "error"
    is_retryable = False

    def __init__(self, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


class RequestError(CineletError):
    """The request cannot be served as it stands; a changed one can."""

    code = "invalid_request"


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


class NotFoundError(CineletError):
    """What was named does not exist, or not for this caller."""

    code = "not_found"


class ConflictError(CineletError):
    """The call contradicts something that already exists."""

    code = "conflict"


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


class EngineDiedError(UnavailableError):
    """The engine process ended while it held this work."""

    code = "engine_died"


class InternalError(CineletError):
    """Our own invariant broke."""

    code = "internal"


def show(value: object) -> str:
    """`value` on one printable line of at most `MAX_SHOWN` characters, for messages."""
    text = value if isinstance(value, str) else repr(value)
    printable = text.encode("unicode_escape").decode("ascii") if not text.isprintable() else text
    cut = printable if len(printable) <= MAX_SHOWN else f"{printable[:MAX_SHOWN]}… ({len(text):,} characters)"
    return f"{cut!r}" if isinstance(value, str) else cut
