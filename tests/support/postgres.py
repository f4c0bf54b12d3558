"""A real PostgreSQL for tests: a direct child of the test process, fsync on, everything in a folder that goes with it.

It refuses to run as root, so for root it runs as `postgres` or nobody. Knows nothing of jobs.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self, TypedDict

import psutil
import psycopg
import pytest

INSTALL = "PostgreSQL is missing; install it with: apt-get install postgresql-15"
USUAL_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin", "/usr/local/opt/postgresql*/bin")
MEMORY = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a folder of our own in it
START_TIMEOUT_S = 60.0
POLL_S = 0.02


class Place(TypedDict):
    """Where and as whom a program of the server runs; None: as ourselves."""

    cwd: Path
    user: int | None
    group: int | None
    extra_groups: list[int] | None


class Postgres:
    """One server. Entering the `with` block starts it, leaving it stops it and removes its files.

    Its folder lies in memory where the system has such a place: a killed process loses no file there either, and a hundred
    test databases are quickly made. With `is_on_disk` every fsync is a real one.
    """

    def __init__(self, *, is_on_disk: bool = False) -> None:
        self._programs = find_programs()
        place = MEMORY if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and not is_on_disk else None
        self._folder = Path(tempfile.mkdtemp(prefix="cinelet-postgres-", dir=place))
        self._owner = _owner()
        if self._owner is not None:
            os.chown(self._folder, *self._owner)
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count()
        self.port = _free_port()

    @property
    def url(self) -> str:
        """The server's own database, for whoever needs any."""
        return self.url_of("postgres")

    def url_of(self, name: str) -> str:
        """The database called `name`."""
        return f"postgresql://cinelet@127.0.0.1:{self.port}/{name}"

    def create(self, template: str = "template1") -> str:
        """A fresh database, a copy of `template` which nobody may be connected to; returns its name."""
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def drop(self, name: str) -> None:
        """Remove a database, and whoever is connected to it."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def __enter__(self) -> Self:
        flags = ["-D", str(self._data), "-U", "cinelet", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-instructions"]
        done = subprocess.run([self._programs / "initdb", *flags], capture_output=True, text=True, check=False, **self._as_owner())
        assert done.returncode == 0, done.stderr
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end(signal.SIGQUIT)  # not cleanly: a last checkpoint of files that go anyway can take a minute
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Start, and return when queries are answered. Tries again while orphans of a killed server hold its shared memory."""
        give_up_at = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < give_up_at:
            if self._process is None or self._process.poll() is not None:
                self._process = self._spawn()
            with suppress(psycopg.OperationalError), psycopg.connect(self.url, connect_timeout=2) as connection:
                connection.execute("SELECT 1")
                return
            time.sleep(POLL_S)
        raise AssertionError(f"PostgreSQL did not start: {self._log.read_text()[-2000:]}")

    def kill(self) -> None:
        """SIGKILL to the postmaster, as when the machine's memory runs out. Its children notice and leave; until then they answer."""
        children = [] if self._process is None else psutil.Process(self._process.pid).children(recursive=True)
        self._end(signal.SIGKILL)
        _, stayed = psutil.wait_procs(children, timeout=START_TIMEOUT_S)
        assert not stayed, f"orphans of PostgreSQL stayed: {stayed}"

    def stop(self) -> None:
        """End quickly and cleanly, connections or not."""
        self._end(signal.SIGINT)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(START_TIMEOUT_S)
            self._process = None

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    def _spawn(self) -> subprocess.Popen[bytes]:
        settings = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": self._folder, "max_connections": 200}
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self._log.open("ab") as log:
            command = [str(self._programs / "postgres"), "-D", str(self._data), *flags]
            return subprocess.Popen(command, stdout=log, stderr=log, **self._as_owner())

    def _as_owner(self) -> Place:
        user, group = self._owner or (None, None)
        return Place(cwd=self._folder, user=user, group=group, extra_groups=None if self._owner is None else [])


def find_programs() -> Path:
    """The folder of `postgres` and `initdb`. Where there is none: skips at home, fails in continuous integration."""
    folders = [Path(found).parent for name in ("postgres", "pg_ctl") if (found := shutil.which(name))]
    if config := shutil.which("pg_config"):
        folders.append(Path(subprocess.run([config, "--bindir"], capture_output=True, text=True, check=True).stdout.strip()))
    folders += [folder for pattern in USUAL_PLACES for folder in sorted(Path("/").glob(pattern[1:]), reverse=True)]
    for folder in folders:
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    if os.environ.get("CI"):
        pytest.fail(INSTALL)
    pytest.skip(INSTALL)


def _owner() -> tuple[int, int] | None:
    """Whom to run as; None: as ourselves."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    raise AssertionError("PostgreSQL refuses to run as root, and there is no other user")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for the whole run; each test takes a database of its own from it."""
    with Postgres() as server:
        yield server
