"""Wake-ups: "work is here", "this job changed". They carry no truth, may be lost, and only save waiting: who hears one reads the store.

Messages are `work`, `outbox`, `job <id>` (it moved on) and `gone <id>` (whoever works on it should stop).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import psycopg
from sqlalchemy.engine import URL

Listener = Callable[[str], None]

CHANNEL = "cinelet"
CLOSING = "closing"
"""What a bell says to wake its own thread at the end; nobody else hears it."""
RETRY_S = 1.0
"""How long to wait before a lost connection is tried again."""


class Bell(Protocol):
    """Carries short messages to every listener of every process on the same store."""

    def ring(self, *messages: str) -> None:
        """Send; never raises, never waits for listeners."""

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with each message, from any thread; it must not block. Returns what stops it."""

    def close(self) -> None:
        """Let go of threads and connections."""


class LocalBell:
    """Within one process."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._lock = threading.Lock()

    def ring(self, *messages: str) -> None:
        """Call the listeners here and now."""
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            for message in messages:
                listener(message)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Add a listener."""
        with self._lock:
            self._listeners.append(listener)

        def stop() -> None:
            with self._lock, suppress(ValueError):
                self._listeners.remove(listener)

        return stop

    def close(self) -> None:
        """Forget the listeners."""
        with self._lock:
            self._listeners.clear()


class PostgresBell:
    """By LISTEN and NOTIFY. One connection listens in a thread, another sends; both come back after a restart of the database."""

    def __init__(self, url: URL) -> None:
        self._url = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._local = LocalBell()
        self._sender: psycopg.Connection | None = None
        self._lock = threading.Lock()
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._hear, name="cinelet-bell", daemon=True)
        self._thread.start()

    def ring(self, *messages: str) -> None:
        """Notify all processes, this one included. A bell that cannot be rung is only a longer wait."""
        if not messages:
            return
        with self._lock, suppress(psycopg.Error):
            if self._sender is None or self._sender.closed:
                self._sender = psycopg.connect(self._url, autocommit=True, connect_timeout=2)
            with self._sender.pipeline():
                for message in messages:
                    self._sender.execute("SELECT pg_notify(%s, %s)", (CHANNEL, message))

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Add a listener; it is called in the bell's thread."""
        return self._local.listen(listener)

    def close(self) -> None:
        """End the thread and both connections."""
        self._is_closed.set()
        self.ring(CLOSING)
        self._thread.join(2 * RETRY_S + 2)
        with self._lock:
            if self._sender is not None:
                self._sender.close()

    def _hear(self) -> None:
        while not self._is_closed.is_set():
            with suppress(psycopg.Error), psycopg.connect(self._url, autocommit=True, connect_timeout=2) as connection:
                connection.execute(f"LISTEN {CHANNEL}")
                while not self._is_closed.is_set():
                    for notice in connection.notifies(timeout=RETRY_S, stop_after=1):
                        if notice.payload != CLOSING:
                            self._local.ring(notice.payload)
            self._is_closed.wait(RETRY_S)
