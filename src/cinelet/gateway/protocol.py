"""HTTP/1.1 on a socket, with bounds that the web server itself does not have: how long a head may be, and how long it may take.

And what it writes in one turn of the loop leaves at once: a head that comes before its body only wakes the client.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024
"""Request line and headers. Tokens have at most 8 KB; browsers and proxies stop at 16 to 64 KB."""
HEAD_TIMEOUT_S = 10.0
MAX_JOINED_BYTES = 64 * 1024
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class BoundedProtocol(HttpToolsProtocol):
    """One connection. Between requests the server's own keep-alive limit holds; while a head comes in, these do."""

    _head_bytes = 0
    _is_in_head = False
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A connection that says nothing is closed too."""
        super().connection_made(transport)
        self.transport = cast("asyncio.Transport", JoiningTransport(transport, self.loop))
        self._set_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing left to wait for."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse; close what never comes to the end of its head."""
        super().data_received(data)
        if self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
                self.transport.write(TOO_LARGE)
                self.transport.close()

    def on_message_begin(self) -> None:
        """A head begins."""
        self._is_in_head, self._head_bytes = True, 0
        self._set_timer()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """It is whole; what follows is counted as it is read."""
        self._is_in_head = False
        self._stop_timer()
        super().on_headers_complete()

    def _set_timer(self) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(HEAD_TIMEOUT_S, self.transport.close)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class JoiningTransport:
    """`transport`, but what is written in one turn of `loop` goes to it as one; beyond `MAX_JOINED_BYTES` at once, so that it can say when
    it has too much."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._written: list[bytes] = []
        self._num_bytes = 0

    def write(self, data: bytes) -> None:
        """Send it before the loop waits again."""
        if not self._written:
            self._loop.call_soon(self._flush)
        self._written.append(data)
        self._num_bytes += len(data)
        if self._num_bytes > MAX_JOINED_BYTES:
            self._flush()

    def close(self) -> None:
        """Send what was written, and hang up."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._written:
            data, self._written, self._num_bytes = b"".join(self._written), [], 0
            self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
