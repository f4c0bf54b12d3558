"""Connections to the truth: SQLite for one machine, PostgreSQL for many, behind two verbs, `read` and `write`.

SQLite: one writing connection in one process (a lock file sees to that; libraries before 3.51.3 can corrupt a file that two
connections write, sqlite.org/wal.html), read-only connections beside it, every commit on the disk before it returns. PostgreSQL:
a bounded pool. Knows nothing of jobs; translates every driver error.
"""

from __future__ import annotations

import fcntl
import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic_core import from_json, to_json
from sqlalchemy import Connection, Double, Engine, bindparam, cast, create_engine, event, extract, func
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import QueuePool, StaticPool
from sqlalchemy.sql.elements import ColumnElement

from cinelet.errors import CineletError, ConflictError, InternalError, InvalidValueError, UnavailableError

T = TypeVar("T")

CONNECT_TIMEOUT_S = 2
"""A client learns within two seconds that the database is down."""
STATEMENT_TIMEOUT_S = 30.0
"""PostgreSQL: the longest that one statement may take, waiting for locks included. The longest of ours takes milliseconds; what takes
this long waits for somebody who will not come, and holds one of a few connections meanwhile."""
POOL_SIZE = 10
MAX_TRIES = 5
"""Deadlocks and serialization failures are rerun inside, never shown."""
TOO_LONG = "57014"
"""PostgreSQL: the statement was ended for taking too long."""
TRANSIENT_STATES = {"40001", "40P01"}
"""PostgreSQL: serialization failure, deadlock detected."""
JSON: Mapping[str, Any] = {"json_serializer": lambda value: to_json(value).decode(), "json_deserializer": from_json}
"""Several times as fast as the standard library's, and a hit reads and writes seven documents."""
WAL_PAGES = 40_000
"""SQLite: so many pages of 4 KB stand in the log before a commit brings them into the file. At 1,000, SQLite's own figure, each eighth
commit of 15 hits took twice as long as the others, for much the same pages of the indexes every time."""
FULL = ("disk is full", "disk full", "No space left")


class CommitUnknownError(UnavailableError):
    """The connection broke during the commit: it may have happened. The caller reads again before it tries again."""

    code = "commit_unknown"


class Database:
    """One database. `clock` gives unix seconds; on PostgreSQL lease time is the server's own, see `now`.

    Raises `InvalidValueError` for a URL of another kind, `ConflictError` where another process writes this SQLite file.
    """

    def __init__(self, url: str, *, clock: Callable[[], float] = time.time) -> None:
        self.url = parse(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.clock = clock
        self._one_at_a_time = threading.RLock()
        self._lock_file: int | None = None
        if self.is_sqlite:
            self._open_sqlite()
        else:
            pool: dict[str, Any] = {"pool_size": POOL_SIZE, "max_overflow": 0, "pool_timeout": CONNECT_TIMEOUT_S, "pool_use_lifo": True}
            options = f"-c statement_timeout={STATEMENT_TIMEOUT_S * 1000:.0f} {_words(self.url.query.get('options', ''))}".strip()
            arguments = {"connect_timeout": CONNECT_TIMEOUT_S, "application_name": "cinelet", "options": options}
            self._writer = self._reader = create_engine(self.url, connect_args=arguments, **JSON, **pool)

    def now(self) -> ColumnElement[float]:
        """The time of execution as an expression: by the server's clock on PostgreSQL, so that workers' clocks do not matter; by ours on
        SQLite."""
        if self.is_sqlite:
            return time_by(self.clock)
        return cast(extract("epoch", func.clock_timestamp()), Double)

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on a connection that changes nothing. A broken connection is replaced once."""
        if self._reader is not self._writer or not self.is_sqlite:
            return self._run(work, is_write=False)
        with self._one_at_a_time:
            return self._run(work, is_write=False)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` as one transaction, durable on return. `work` may run several times, so it has no effect outside of it.

        Raises `UnavailableError` when the database is down or full, `CommitUnknownError` when the end of the commit was not seen.
        """
        if not self.is_sqlite:
            return self._run(work, is_write=True)
        with self._one_at_a_time:
            return self._run(work, is_write=True)

    def close(self) -> None:
        """Let go of all connections and of the lock."""
        self._reader.dispose()
        self._writer.dispose()
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    def _run(self, work: Callable[[Connection], T], *, is_write: bool) -> T:
        tries = 0
        while True:
            tries += 1
            is_committing = False
            try:
                with (self._writer if is_write else self._reader).connect() as connection:
                    result = work(connection)
                    if is_write:
                        is_committing = True
                        connection.commit()
                    return result
            except PoolTimeoutError as error:
                raise UnavailableError("database: all connections are busy", detail=repr(error)) from error
            except DBAPIError as error:
                if is_committing and is_lost(error):
                    raise CommitUnknownError("database: the connection broke during the commit", detail=repr(error)) from error
                if tries >= MAX_TRIES or not (is_transient(error) or (error.connection_invalidated and tries == 1)):
                    raise translate(error) from error
                if is_transient(error):
                    time.sleep(random.uniform(0.001, 0.01) * 2**tries)

    def _open_sqlite(self) -> None:
        path = self.url.database
        if not path or path == ":memory:":
            self._writer = self._reader = _sqlite(self.url, poolclass=StaticPool)
            return
        self._lock_file = _lock(Path(f"{path}.lock"))
        self._writer = _sqlite(self.url, poolclass=StaticPool)
        read_only = URL.create("sqlite", database=f"file:{quote(path)}", query={"mode": "ro", "uri": "true"})
        self._reader = _sqlite(read_only, poolclass=QueuePool, pool_size=POOL_SIZE, max_overflow=0, pool_timeout=CONNECT_TIMEOUT_S)
        try:
            with self._writer.connect():
                pass  # creates the file, which a read-only connection cannot
        except DBAPIError as error:
            self.close()
            if isinstance(error, OperationalError) and "unable to open" not in str(error.orig):
                raise translate(error) from error
            raise InvalidValueError("store", path, "must be an SQLite database, or a new file") from error


def time_by(clock: Callable[[], float]) -> ColumnElement[float]:
    """What `clock` says when the statement is executed, not when it is built."""
    return bindparam(None, callable_=clock, type_=Double(), unique=True)


def parse(url: str) -> URL:
    """`sqlite:///file.db`, `sqlite://` (in memory), `postgresql://…`, or a plain path. Raises `InvalidValueError`."""
    if url and "://" not in url:
        return URL.create("sqlite", database=url)
    is_postgresql = url.startswith(("postgresql://", "postgres://"))
    with suppress(ArgumentError, ValueError):
        parsed = make_url("postgresql+psycopg://" + url.split("://", 1)[1] if is_postgresql else url)
        if parsed.drivername in {"sqlite", "postgresql+psycopg"}:
            return parsed
    raise InvalidValueError("store", url, "must be a path, sqlite:///path or postgresql://user@host/database")


def _sqlite(url: URL, **pool: Any) -> Engine:
    engine = create_engine(url, connect_args={"check_same_thread": False, "timeout": 5.0}, **JSON, **pool)

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, record: Any) -> None:  # noqa: ARG001 - the signature is SQLAlchemy's
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys=ON")
        if "mode" not in url.query:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if "mode" in url.query else "BEGIN IMMEDIATE")

    return engine


def _lock(path: Path) -> int:
    """Hold `path` locked for this process: an open descriptor. A killed process lets go of it by itself."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InvalidValueError("store", str(path.with_suffix("")), "its directory must be writable") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        message = f"store: another process writes {path.with_suffix('')}; one process a SQLite file, several with PostgreSQL"
        raise ConflictError(message) from error
    return descriptor


def is_lost(error: DBAPIError) -> bool:
    """Whether the connection is gone."""
    return error.connection_invalidated or (
        isinstance(error, (OperationalError, InterfaceError)) and _state(error) is None and not _is_sqlite(error)
    )


def is_transient(error: DBAPIError) -> bool:
    """Whether the same transaction may succeed when run again at once."""
    return _state(error) in TRANSIENT_STATES or "database is locked" in str(error.orig)


def translate(error: DBAPIError) -> CineletError:
    """Our error for the driver's: wait for the database, or report a bug."""
    if isinstance(error, (OperationalError, InterfaceError)):
        reason = "is full" if any(words in str(error.orig) for words in FULL) else "cannot be reached"
        if _state(error) == TOO_LONG:
            reason = f"did not answer within {STATEMENT_TIMEOUT_S:g} s"
        return UnavailableError(f"database: it {reason}; try again", detail=repr(error.orig))
    return InternalError("database: a statement failed", detail=repr(error))


def _words(part: str | tuple[str, ...]) -> str:
    """A part of a URL's query, which may come more than once."""
    return part if isinstance(part, str) else " ".join(part)


def _state(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)


def _is_sqlite(error: DBAPIError) -> bool:
    return type(error.orig).__module__.startswith("sqlite3")


@contextmanager
def opened(url: str, *, clock: Callable[[], float] = time.time) -> Iterator[Database]:
    """A database for a `with` block."""
    database = Database(url, clock=clock)
    try:
        yield database
    finally:
        database.close()
