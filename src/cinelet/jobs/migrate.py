"""Brings a database's schema to this version, by Alembic. Many processes may try at once; one does it.

Migrations only add (columns, tables, indexes) and later remove what nobody reads any more, so that versions N and N+1 can run
side by side during a rollout.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from cinelet.jobs.database import Database

LOCK_NUMBER = 0x63696E65
"""The advisory lock of PostgreSQL that one migrating process holds; an arbitrary number of our own."""


def upgrade(database: Database) -> None:
    """Run what is missing, in one transaction. A schema that a newer version has made is left as it is."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    known = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]

    def work(connection: Connection) -> None:
        if not database.is_sqlite:
            connection.execute(text("SET LOCAL statement_timeout = 0"))  # a large table takes its time, and so does who waits for it
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": LOCK_NUMBER})
        current = MigrationContext.configure(connection).get_current_revision()
        if current == known[0] or (current is not None and current not in known):
            return
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    database.write(work)
