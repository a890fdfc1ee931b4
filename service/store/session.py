"""Connections: one engine, a transaction that reads and a transaction that writes.

On SQLite a transaction that reads first and writes later can fail at once, whatever the busy
timeout (SQLITE_BUSY_SNAPSHOT), so a writing transaction takes the write lock when it begins.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session

from service.errors import InvalidSetting

_BUSY_MS = 30_000
_WAIT = 30.0
"""Seconds that a thread waits for one of our connections."""
_PATIENCE = {
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}
"""When a PostgreSQL that went away without a word is given up: libpq's own parameters."""
_LIMITS = "-c lock_timeout=10s -c statement_timeout=20s"


def open_engine(url: str | URL, connections: int = 5, *, foreign_keys: bool = True) -> Engine:
    """An engine for `url`; plain `postgresql://` gets the driver that is installed with us.

    Raises:
        InvalidSetting: not the URL of a SQLite file or of a PostgreSQL database.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:  # ValueError: a port that is no number
        raise _unusable("it is not a database URL") from error
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    pool: dict[str, Any] = {
        "pool_size": connections,
        "max_overflow": 0,
        "pool_timeout": _WAIT,
        "json_deserializer": _read_json,
    }
    if parsed.drivername == "postgresql+psycopg":
        return create_engine(
            _bounded(parsed), pool_pre_ping=True, isolation_level="READ COMMITTED", **pool
        )
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise _unusable(f"it asks for {parsed.drivername!r}")
    if not parsed.database or parsed.database == ":memory:":
        raise _unusable("it names no file, and what is in memory survives nothing")
    engine = create_engine(parsed, **pool)
    _prepare_sqlite(engine, foreign_keys)
    return engine


def _bounded(url: URL) -> URL:
    """`url` with time limits; those that it states itself stay."""
    stated = url.query.get("options", "")
    options = f"{_LIMITS} {stated if isinstance(stated, str) else ' '.join(stated)}"
    missing = {name: value for name, value in _PATIENCE.items() if name not in url.query}
    return url.update_query_dict({**missing, "options": options.strip()})


def _read_json(text: str) -> Any:
    """A stored document; an empty one where the text is broken, so that its row can be read."""
    try:
        return json.loads(text)
    except ValueError:
        return {}


def writing(engine: Engine) -> Engine:
    """The same engine, its transactions taking SQLite's write lock when they begin."""
    return engine.execution_options(begin="BEGIN IMMEDIATE")


class Database:
    """The two kinds of transaction; everything in one of them happens at once or not at all."""

    def __init__(self, url: str | URL, connections: int = 15) -> None:
        self.engine = open_engine(url, connections)
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


def _unusable(found: str) -> InvalidSetting:
    return InvalidSetting(
        "RESNAS_DATABASE_URL",
        found,
        "Use postgresql+psycopg://user@host/name, sqlite:////path/to/file, or leave it out",
    )
