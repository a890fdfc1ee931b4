"""The schema is brought up to date when a program opens the database: all of it or nothing.

A database that is a file is looked at first, and copied before its schema changes.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from service.errors import StartRefused
from service.store.backups import back_up
from service.store.models import Base
from service.store.session import open_engine, writing
from service.store.sqlite_file import refuse_damage, refuse_network

VERSION_TABLE = "resnas_version"  # others (Optuna, MLflow) write their own into alembic_version
_LOCK = 0x7265736E6173  # "resnas": whoever migrates holds it


def migrate(url: str | URL) -> None:
    """Upgrade the database at `url` in one transaction, alone.

    Raises:
        StartRefused: it cannot be reached, is damaged, lies on a network file system, or a newer
            version of this program made it.
    """
    # SQLite rebuilds a table to alter it; with foreign keys on, dropping the old one would
    # take the rows that point at it along.
    engine = open_engine(url, foreign_keys=False)
    try:
        with _alone(engine), writing(engine).begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SET LOCAL lock_timeout = 0"))  # it takes what it takes
                connection.execute(text("SET LOCAL statement_timeout = 0"))
                connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            _upgrade(connection)
    except DBAPIError as error:
        raise StartRefused(
            f"database {engine.url.render_as_string(hide_password=True)}",
            str(error.orig).strip().splitlines()[0],
            "See that it runs and may be written; RESNAS_DATABASE_URL says where it is",
        ) from error
    finally:
        engine.dispose()


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """On SQLite, a lock beside the file: the first change to WAL does not wait for others."""
    if engine.dialect.name != "sqlite":
        yield
        return
    database = Path(engine.url.database or "")
    path = Path(f"{database}.migrating")
    refuse_network(database)
    try:
        file = path.open("w")
    except OSError as error:
        raise StartRefused(
            f"database {engine.url.database}",
            f"its folder cannot be written: {error.strerror}",
            "See that the folder exists and is yours; RESNAS_DATABASE_URL says where it is",
        ) from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        refuse_damage(database)
        yield


@dataclass(frozen=True)
class Standing:
    """How a database's schema stands to this program.

    Attributes:
        found: the revision it is at; None before the first migration.
        newest: the revision that this program needs.
        known: whether this program knows what was found.
    """

    found: str | None
    newest: str
    known: bool


def standing(connection: Connection) -> Standing:
    """How the schema of the connected database stands."""
    scripts = ScriptDirectory.from_config(migrations(connection))
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    found = context.get_current_revision()
    known = {None, *(script.revision for script in scripts.walk_revisions())}
    return Standing(found, scripts.get_current_head() or "", found in known)


def migrations(connection: Connection) -> Config:
    """What alembic's commands need to change the schema within the connection's transaction."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection) -> None:
    now = standing(connection)
    if not now.known:
        raise StartRefused(
            f"database {connection.engine.url.render_as_string(hide_password=True)}",
            f"its schema {now.found!r} is from a newer version of resnas",
            "Install that version, or use another data directory or database",
        )
    if now.found is None:
        _refuse_tables_of_others(connection)
    elif connection.dialect.name == "sqlite" and now.found != now.newest:
        back_up(Path(connection.engine.url.database or ""), now.found)
    command.upgrade(migrations(connection), "head")


def _refuse_tables_of_others(connection: Connection) -> None:
    """See that a database which we have never used has no tables of the names of ours."""
    theirs = Base.metadata.tables.keys() & set(inspect(connection).get_table_names())
    if theirs:
        raise StartRefused(
            f"database {connection.engine.url.render_as_string(hide_password=True)}",
            f"another program's table {min(theirs)!r} already exists",
            "Give resnas a database, or a schema of PostgreSQL, of its own",
        )
