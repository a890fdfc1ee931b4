"""The schema is brought up to date when a program opens the database: all of it or nothing."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from service.errors import StartRefused
from service.store.session import open_engine, writing

VERSION_TABLE = "resnas_version"  # others (Optuna, MLflow) write their own into alembic_version
_LOCK = 0x7265736E6173  # "resnas": whoever migrates holds it


def migrate(url: str | URL) -> None:
    """Upgrade the database at `url` in one transaction, alone.

    Raises:
        StartRefused: it cannot be reached, or a newer version of this program made it.
    """
    # SQLite rebuilds a table to alter it; with foreign keys on, dropping the old one would
    # take the rows that point at it along.
    engine = open_engine(url, foreign_keys=False)
    try:
        with _alone(engine), writing(engine).begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SET LOCAL lock_timeout = 0"))  # it takes what it takes
                connection.execute(text("SET LOCAL statement_timeout = 0"))
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
    path = Path(f"{engine.url.database}.migrating")
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
        yield


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    newer = set(context.get_current_heads()) - known
    if newer:
        raise StartRefused(
            f"database {connection.engine.url.render_as_string(hide_password=True)}",
            f"its schema {min(newer)!r} is from a newer version of resnas",
            "Install that version, or use another data directory or database",
        )
    command.upgrade(config, "head")
