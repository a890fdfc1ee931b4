"""Connections: one engine, a transaction that reads and a transaction that writes.

On SQLite a transaction that reads first and writes later can fail at once, whatever the busy
timeout (SQLITE_BUSY_SNAPSHOT), so a writing transaction takes the write lock when it begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session

from service.errors import StartRefused

_BUSY_MS = 30_000


def open_engine(url: str, *, foreign_keys: bool = True) -> Engine:
    """An engine for `url`; plain `postgresql://` gets the driver that is installed with us.

    Raises:
        StartRefused: not the URL of a SQLite file or of a PostgreSQL database.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise _unusable("it is not a database URL") from error
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername == "postgresql+psycopg":
        return create_engine(parsed, pool_pre_ping=True, isolation_level="READ COMMITTED")
    if parsed.get_backend_name() != "sqlite":
        raise _unusable(f"it asks for {parsed.drivername!r}")
    if not parsed.database or parsed.database == ":memory:":
        raise _unusable("it names no file, and what is in memory survives nothing")
    engine = create_engine(parsed)
    _prepare_sqlite(engine, foreign_keys)
    return engine


def writing(engine: Engine) -> Engine:
    """The same engine, its transactions taking SQLite's write lock when they begin."""
    return engine.execution_options(begin="BEGIN IMMEDIATE")


class Database:
    """The two kinds of transaction; everything in one of them happens at once or not at all."""

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url)
        self._writing = writing(self.engine)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that changes nothing and waits for nobody."""
        with Session(self.engine) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that is committed at the end of the block, or rolled back if it raises."""
        with Session(self._writing) as session, session.begin():
            yield session

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _prepare_sqlite(engine: Engine, foreign_keys: bool) -> None:
    @event.listens_for(engine, "connect")
    def _connect(connection: Any, record: object) -> None:
        del record
        connection.isolation_level = None  # the driver shall not begin transactions by itself
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))


def _unusable(found: str) -> StartRefused:
    return StartRefused(
        "RESNAS_DATABASE_URL",
        found,
        "Use postgresql+psycopg://user@host/name, sqlite:////path/to/file, or leave it out",
    )
