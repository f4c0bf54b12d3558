"""Connections: addresses, what is tried again, what is told to whom. PostgreSQL itself is in the conformance suite."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from cinelet.errors import ConflictError, InternalError, InvalidValueError, UnavailableError
from cinelet.jobs import Database
from cinelet.jobs.database import MAX_TRIES, opened, parse, translate


@pytest.mark.parametrize(
    ("url", "driver", "database"),
    [
        ("jobs.db", "sqlite", "jobs.db"),
        ("/var/lib/cinelet/jobs.db", "sqlite", "/var/lib/cinelet/jobs.db"),
        ("sqlite:///jobs.db", "sqlite", "jobs.db"),
        ("sqlite://", "sqlite", None),
        ("postgresql://me@host:5433/jobs", "postgresql+psycopg", "jobs"),
        ("postgres://me:secret@host/jobs?sslmode=require", "postgresql+psycopg", "jobs"),
    ],
)
def test_addresses_of_both_kinds_are_read(url: str, driver: str, database: str | None) -> None:
    parsed = parse(url)
    assert (parsed.drivername, parsed.database) == (driver, database)


@pytest.mark.parametrize("url", ["mysql://host/jobs", "redis://host", "sqlite+pysqlcipher:///x", "postgresql://host:port/x", "://", ""])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(InvalidValueError) as refused:
        parse(url)
    assert refused.value.field == "store"


@pytest.mark.parametrize("name", ["jobs.db", "my jobs.db", "a?b#c%20d.db", "日本.db", "new/folder/jobs.db"])
def test_a_file_of_any_name_can_be_written_and_read(tmp_path: Path, name: str) -> None:
    with opened(str(tmp_path / name)) as database:
        database.write(lambda connection: connection.execute(text("CREATE TABLE t (x INTEGER)")))
        database.write(lambda connection: connection.execute(text("INSERT INTO t VALUES (7)")))
        assert database.read(lambda connection: connection.execute(text("SELECT x FROM t")).scalar()) == 7
    assert (tmp_path / name).exists()


def test_a_read_changes_nothing(tmp_path: Path) -> None:
    for url in ("sqlite://", str(tmp_path / "jobs.db")):
        with opened(url) as database:
            database.write(lambda connection: connection.execute(text("CREATE TABLE t (x INTEGER)")))
            with suppress(UnavailableError):  # the file's reader is read-only
                database.read(lambda connection: connection.execute(text("INSERT INTO t VALUES (7)")))
            assert database.read(lambda connection: connection.execute(text("SELECT count(*) FROM t")).scalar()) == 0


def test_a_write_that_raises_leaves_nothing(tmp_path: Path) -> None:
    def work(connection: Any) -> None:
        connection.execute(text("INSERT INTO t VALUES (7)"))
        raise KeyError

    for url in ("sqlite://", str(tmp_path / "jobs.db")):
        with opened(url) as database:
            database.write(lambda connection: connection.execute(text("CREATE TABLE t (x INTEGER)")))
            with pytest.raises(KeyError):
                database.write(work)
            assert database.read(lambda connection: connection.execute(text("SELECT count(*) FROM t")).scalar()) == 0


def test_every_commit_reaches_the_disk(tmp_path: Path) -> None:
    with opened(str(tmp_path / "jobs.db")) as database:
        assert database.write(lambda connection: connection.execute(text("PRAGMA synchronous")).scalar()) == 2
        assert database.write(lambda connection: connection.execute(text("PRAGMA journal_mode")).scalar()) == "wal"


def test_a_folder_or_a_place_inside_a_file_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "folder", tmp_path / "file" / "jobs.db"):
        with pytest.raises(InvalidValueError) as refused:
            Database(str(path))
        assert refused.value.field == "store"


def test_a_database_that_could_not_be_opened_holds_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    path.write_text("no database " * 100)
    for _ in range(2):
        with pytest.raises(InvalidValueError):
            Database(str(path))
    path.unlink()
    Database(str(path)).close()


def test_a_file_is_open_once(tmp_path: Path) -> None:
    with opened(str(tmp_path / "jobs.db")), pytest.raises(ConflictError):
        Database(str(tmp_path / "jobs.db"))
    Database(str(tmp_path / "jobs.db")).close()


def locked() -> OperationalError:
    """What SQLAlchemy makes of a busy file."""
    return OperationalError("BEGIN", {}, sqlite3.OperationalError("database is locked"))


def test_a_busy_database_is_tried_again_a_few_times() -> None:
    with opened("sqlite://") as database:
        failures = [locked()] * (MAX_TRIES - 1)

        def work(connection: Any) -> str:
            if failures:
                raise failures.pop()
            return "done"

        assert database.write(work) == "done"


def test_a_database_that_stays_busy_is_unavailable() -> None:
    tries = []

    def work(connection: Any) -> None:
        tries.append(1)
        raise locked()

    with opened("sqlite://") as database, pytest.raises(UnavailableError):
        database.write(work)
    assert len(tries) == MAX_TRIES


def test_a_full_disk_is_said_to_be_full_and_a_broken_statement_is_our_bug() -> None:
    full = translate(OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full")))
    ours = translate(IntegrityError("INSERT INTO secret VALUES (?)", {}, sqlite3.IntegrityError("UNIQUE constraint failed")))
    assert isinstance(full, UnavailableError)
    assert "full" in full.message
    assert isinstance(ours, InternalError)
    assert "secret" not in ours.message


def test_a_full_database_refuses_and_recovers(tmp_path: Path) -> None:
    with opened(str(tmp_path / "jobs.db")) as database:
        database.write(lambda connection: connection.execute(text("CREATE TABLE t (x TEXT)")))
        database.write(lambda connection: connection.execute(text("PRAGMA max_page_count = 4")))

        def insert(connection: Any) -> None:
            connection.execute(text("INSERT INTO t VALUES (:x)"), {"x": "x" * 50_000})

        with pytest.raises(UnavailableError, match="full"):
            database.write(insert)
        database.write(lambda connection: connection.execute(text("PRAGMA max_page_count = 1000")))
        database.write(insert)
        assert database.read(lambda connection: connection.execute(text("SELECT count(*) FROM t")).scalar()) == 1
