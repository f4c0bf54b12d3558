"""Log lines: one event, one line of JSON in ASCII. Nothing of what is logged.

Whatever a caller put into a value, a line stays a line: line breaks, terminal sequences and characters that turn the direction
of writing come out as `\\uXXXX`. Values pass the cleaner (`cleaner.py`), so no prompt and no secret is written. Records of
other libraries go the same way.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, MutableMapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, TextIO

import structlog
from structlog.contextvars import bound_contextvars, get_contextvars

from cinelet.errors import InvalidValueError
from cinelet.telemetry.cleaner import QUERY, clean, clean_error

LEVELS = ("debug", "info", "warning", "error")
UVICORN = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi")
"""Loggers that bring handlers of their own unless told otherwise."""
MAX_LINE_CHARS = 64 << 10
"""Collectors of logs cut longer lines, and half a line is no JSON."""
FIELDS = "cinelet_fields"
"""The attribute of a record that carries our fields beside the event's name."""


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger of events: `log.info("job_claimed", attempt=2)`. Silent until the process has called `configure`."""
    ours = logging.getLogger("cinelet")
    if not ours.handlers:
        ours.addHandler(logging.NullHandler())
    logger: structlog.stdlib.BoundLogger = structlog.wrap_logger(ours.getChild(name), CHAIN, structlog.stdlib.BoundLogger)
    return logger


def context(**ids: str) -> AbstractContextManager[None]:
    """Put `request_id`, `job_id` and the like on every event inside the `with` block, in this task and those it starts."""
    return bound_contextvars(**ids)


def configure(level: str, stream: TextIO, *, now: Callable[[], float] = time.time) -> None:
    """Send every record of this process, from `level` on, to `stream`. For the entry of a process to call, once.

    Takes the place of earlier handlers of the root logger. Uvicorn's lines come too, if it is started with `log_config=None`; its
    line for each request does not: the gateway logs requests itself, by route. Raises `InvalidValueError` for an unknown level.
    """
    if level not in LEVELS:
        raise InvalidValueError("log_level", level, f"must be one of {', '.join(LEVELS)}")
    handler = LineHandler(stream)
    handler.setFormatter(LineFormatter(now))
    structlog.configure(processors=CHAIN, wrapper_class=structlog.stdlib.BoundLogger, logger_factory=structlog.stdlib.LoggerFactory())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in UVICORN:
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = name != "uvicorn.access"


def to_record(_logger: object, _method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    """The last link of a logger's chain: the event as arguments of the standard library's logger."""
    return {"msg": event.pop("event"), "exc_info": event.pop("exc_info", None), "extra": {FIELDS: dict(event)}}


class LineFormatter(logging.Formatter):
    """A record as one line. `now` gives unix seconds."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._now = now

    def format(self, record: logging.LogRecord) -> str:
        """JSON of at most `MAX_LINE_CHARS`: time, level, logger and event, then the context and the event's own fields."""
        head = {
            "time": datetime.fromtimestamp(self._now(), UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": event_of(record),
        }
        line = encode(head | self._fields(record, head))
        return line if len(line) <= MAX_LINE_CHARS else encode(head | {"left_out": f"{len(line):,} characters"})

    @staticmethod
    def _fields(record: logging.LogRecord, head: dict[str, Any]) -> dict[str, Any]:
        """What belongs to the event. A field that takes the name of the head's gets a `_` behind its own."""
        given = get_contextvars() | getattr(record, FIELDS, {})
        fields = {f"{name}_" if name in head else name: clean(name, value) for name, value in given.items()}
        if record.exc_info and record.exc_info[1] is not None:
            fields["error"] = clean_error(record.exc_info[1])
        return fields


class LineHandler(logging.StreamHandler[TextIO]):
    """Writes lines. A record that cannot be written, for a broken argument or a closed stream, ends nothing and prints nothing else."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Say on the same stream which logger made it, if there is still a stream."""
        try:
            self.stream.write(encode({"level": "error", "logger": record.name, "event": "log_record_unwritable"}) + self.terminator)
        except (OSError, ValueError):
            return


def event_of(record: logging.LogRecord) -> Any:
    """The event's name, or the message of another library's record without the query part of addresses."""
    if hasattr(record, FIELDS):
        return clean("event", record.msg)
    return clean("event", QUERY.sub("?…", record.getMessage()))


CHAIN = (structlog.stdlib.filter_by_level, to_record)
"""What an event passes on its way to the standard library's loggers; all the rest happens where lines are written."""


def encode(line: dict[str, Any]) -> str:
    """JSON of printable ASCII; everything else is escaped."""
    return json.dumps(line, ensure_ascii=True, allow_nan=False)
