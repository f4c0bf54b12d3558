"""An upgraded schema equals a fresh one, whoever upgrades and however many at once; one process a SQLite file; a full disk."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import op
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from cinelet.errors import ConflictError, InvalidValueError
from cinelet.jobs import Database, Store
from cinelet.jobs.database import opened
from cinelet.jobs.migrate import upgrade
from cinelet.jobs.schema import metadata
from tests.support.postgres import Postgres

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 120
VERSIONS = ROOT / "src/cinelet/jobs/migrations/versions"
RELEASED = {
    "0001_first_tables": "685020f959ecc144",
    "0002_deadlines": "00574d514499be48",
    "0003_made_by_model": "2850066451739168",
}
"""Each migration as databases have run it: the beginning of its SHA-256."""


@pytest.fixture(params=["memory", "file", "postgresql"])
def bare(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without any table."""
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.url_of(server.create())
    else:
        url = "sqlite://" if request.param == "memory" else f"sqlite:///{tmp_path}/jobs.db"
    with opened(url) as database:
        yield database


def differences(database: Database) -> list[Any]:
    """What alembic would have to do to come from the database's tables to the declared ones."""
    return database.read(
        lambda connection: compare_metadata(
            MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True}), metadata
        )
    )


def tables(connection: Connection) -> list[Any]:
    """Everything the database itself knows of its tables, by its own catalogue."""
    if connection.dialect.name == "sqlite":
        found = []
        for name in sorted(metadata.tables):
            found += [(name, *row[1:]) for row in connection.execute(text(f"PRAGMA table_info({name})"))]
            indices = [(row.name, row.unique) for row in connection.execute(text(f"PRAGMA index_list({name})"))]
            found += [
                (
                    name,
                    sorted(
                        (index, unique, *(r.name for r in connection.execute(text(f"PRAGMA index_info({index})"))))
                        for index, unique in indices
                    ),
                )
            ]
        return found
    columns = connection.execute(
        text(
            "SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default"
            " FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version' ORDER BY 1, 2"
        )
    ).all()
    indices = connection.execute(
        text("SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version' ORDER BY 2")
    ).all()
    return [*map(tuple, columns), *map(tuple, indices)]


def test_the_upgraded_schema_equals_the_declared_one(bare: Database) -> None:
    upgrade(bare)
    assert differences(bare) == []


def test_the_upgraded_tables_equal_fresh_ones_in_the_databases_own_words(bare: Database) -> None:
    upgrade(bare)
    upgraded = bare.read(tables)
    assert len(upgraded) > len(metadata.tables)
    bare.write(metadata.drop_all)
    bare.write(metadata.create_all)
    assert bare.read(tables) == upgraded


def test_a_migration_never_changes_after_databases_have_run_it() -> None:
    """What it lacks is a further migration: those who ran it will not run it again."""
    assert {path.stem: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in VERSIONS.glob("*.py")} == RELEASED


def test_a_missing_index_would_be_noticed(bare: Database) -> None:
    upgrade(bare)
    bare.write(lambda connection: connection.execute(text("DROP INDEX jobs_by_digest")))
    assert differences(bare) != []


def test_upgrading_again_changes_nothing(bare: Database) -> None:
    upgrade(bare)
    before = bare.read(tables)
    upgrade(bare)
    assert bare.read(tables) == before


def test_a_schema_of_a_newer_version_is_left_alone(bare: Database) -> None:
    """During a rollout an old process may start after a new one has migrated."""
    upgrade(bare)
    bare.write(lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    upgrade(bare)
    assert bare.read(lambda connection: connection.execute(text("SELECT version_num FROM alembic_version")).scalar()) == "9999"


def test_an_upgrade_that_fails_halfway_leaves_nothing(bare: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    create = op.create_table

    def broken(name: str, *columns: Any, **options: Any) -> Any:
        if name == "tenants":
            raise RuntimeError("the power went out")
        return create(name, *columns, **options)

    monkeypatch.setattr(op, "create_table", broken)
    with pytest.raises(RuntimeError):
        upgrade(bare)
    monkeypatch.undo()
    upgrade(bare)
    assert differences(bare) == []


def test_processes_that_upgrade_one_postgresql_at_once_all_succeed(postgres: Postgres) -> None:
    url = postgres.url_of(postgres.create())
    children = [python(f"from cinelet.jobs import Store; Store({url!r}).close()") for _ in range(3)]
    assert [finish(child) for child in children] == ["", "", ""]
    with opened(url) as database:
        assert differences(database) == []


def test_a_second_process_on_one_sqlite_file_is_turned_away(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    open_or_tell = f"""
        from cinelet.errors import ConflictError
        from cinelet.jobs import Store
        try:
            Store({str(path)!r}).close()
        except ConflictError as error:
            print(error.message)
    """
    store = Store(str(path))
    assert "another process" in finish(python(open_or_tell))
    store.close()
    assert finish(python(open_or_tell)) == ""


def test_a_killed_process_leaves_no_lock_behind(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    child = python(
        f"import sys; from cinelet.jobs import Store; Store({str(path)!r}); print('open', flush=True); sys.stdin.read()", stdin=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "open\n"
    with pytest.raises(ConflictError):
        Store(str(path))
    child.kill()
    child.communicate(timeout=TIMEOUT_S)
    Store(str(path)).close()


def test_a_file_that_is_no_database_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "diary.txt"
    path.write_text("dear diary, " * 100)
    with pytest.raises(InvalidValueError):
        Store(str(path))
    assert path.read_text().startswith("dear diary")


FULL_DISK = """
import json, sqlite3
from pathlib import Path
from cinelet.errors import UnavailableError
from tests.support.world import open_world

world = open_world("sqlite:///{folder}/jobs.db")
accepted, messages = [], []
ballast = Path("{folder}/ballast")
ballast.write_bytes(b"x" * 3_000_000)
def refused(call):
    try:
        call()
        return False
    except UnavailableError as error:
        messages.append(error.message)
        return True
while not refused(lambda: accepted.append(world.submit(request=dict(prompt="x" * 4000)).job.id)):
    pass
lost_while_full = [job_id for job_id in accepted if world.store.register.find(job_id) is None]
still_refused = all(refused(lambda: world.submit(request=dict(prompt="x" * 4000))) for _ in range(5))
ballast.unlink()
again = world.submit(request=dict(prompt="x" * 4000)).job.id
lost = [job_id for job_id in [*accepted, again] if world.store.register.find(job_id) is None]
world.succeed(world.claim(accepted[0]))
world.store.close()
integrity = sqlite3.connect("{folder}/jobs.db").execute("PRAGMA integrity_check").fetchone()[0]
print(json.dumps(dict(num=len(accepted), messages=sorted(set(messages)), lost_while_full=lost_while_full, lost=lost,
                      still_refused=still_refused, integrity=integrity)))
"""


def test_on_a_full_disk_nothing_breaks_and_space_is_all_it_takes(tmp_path: Path) -> None:
    """A file system of four megabytes, mounted where only the child sees it."""
    mount = ["unshare", "-Urm", "sh", "-c", 'mount -t tmpfs -o size=4m tmpfs "$0"', str(tmp_path)]
    if shutil.which("unshare") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here: unshare -Urm is refused")
    script = tmp_path.parent / "full_disk.py"
    script.write_text(FULL_DISK.format(folder=tmp_path))
    mount[-2] += ' && exec "$1" "$2"'
    child = start([*mount, sys.executable, str(script)])
    told = json.loads(finish(child))
    assert told["num"] > 10
    assert told["messages"] == ["database: it is full; try again"]
    assert (told["lost_while_full"], told["lost"], told["still_refused"], told["integrity"]) == ([], [], True, "ok")


def python(code: str, *, stdin: bool = False) -> subprocess.Popen[str]:
    """A child that runs `code`."""
    lines = code.strip("\n").splitlines()
    indent = len(lines[0]) - len(lines[0].lstrip())
    return start([sys.executable, "-c", "\n".join(line[indent:] for line in lines)], stdin=stdin)


def start(command: list[str], *, stdin: bool = False) -> subprocess.Popen[str]:
    """A child that finds our modules."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe if stdin else None, stdout=pipe, stderr=pipe, text=True, env=environment)


def finish(child: subprocess.Popen[str]) -> str:
    """What it printed; it must have ended well."""
    out, err = child.communicate(timeout=TIMEOUT_S)
    assert child.returncode == 0, err
    return out
