"""Bytes of an event stream to messages, by the rules of the WHATWG HTML standard, section 9.2. Nothing of what they mean."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cinelet.errors import UnavailableError

MAX_MESSAGE_BYTES = 8 << 20
"""Room for a preview inside an event; a stream that sends more without an end of message is no event stream."""

LINE = re.compile(rb"([^\r\n]*)(\r\n|\n|\r(?!\Z))")
"""One ended line. A carriage return at the very end may be half of a CRLF and waits for the next bytes."""


@dataclass(frozen=True)
class Message:
    """One event: its type, its text, and the id that resumes the stream after it."""

    type: str
    data: str
    id: str | None


class EventReader:
    """Feed it what arrives; it gives the messages that are complete."""

    def __init__(self) -> None:
        self._pending = b""
        self._type = ""
        self._data: list[str] = []
        self._size_bytes = 0
        self._id: str | None = None

    def feed(self, received: bytes) -> Iterator[Message]:
        """The messages that `received` completes. Raises `UnavailableError` where one grows beyond `MAX_MESSAGE_BYTES`."""
        self._pending += received
        end = 0
        for line in LINE.finditer(self._pending):
            end = line.end()
            yield from self._read(line[1].decode("utf-8", "replace"))
        self._pending = self._pending[end:]
        if len(self._pending) + self._size_bytes > MAX_MESSAGE_BYTES:
            raise UnavailableError(f"events: one message is larger than {MAX_MESSAGE_BYTES:,} bytes")

    def _read(self, line: str) -> Iterator[Message]:
        if not line:
            if self._data:
                yield Message(self._type or "message", "\n".join(self._data), self._id)
            self._type, self._data, self._size_bytes = "", [], 0
            return
        self._size_bytes += len(line)
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._type = value
        elif name == "id" and "\0" not in value:
            self._id = value
