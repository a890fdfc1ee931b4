"""Connections: one engine, a transaction that reads and a transaction that writes.

On SQLite a transaction that reads first and writes later can fail at once, whatever the busy
timeout (SQLITE_BUSY_SNAPSHOT), so a writing transaction takes the write lock when it begins.

What is promised: a transaction that was committed survives the death of every process of ours. It
survives the loss of power, too, on PostgreSQL; on SQLite (WAL, synchronous NORMAL) a loss of power
may take the last transactions along, never a part of one, and leaves a sound database. A `durable`
connection waits for the disk at every commit, which on SQLite costs tens of times the speed, and
on PostgreSQL holds whatever the server's own configuration says.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    Integer,
    create_engine,
    event,
    literal_column,
    make_url,
)
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from service.errors import InvalidSetting

_BUSY_MS = 30_000
_WAIT = 10.0
"""Seconds that a thread waits for one of our connections, as long as for a lock."""
_PATIENCE = {
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}
"""When a PostgreSQL that went away without a word is given up: libpq's own parameters."""
_FRESH = 0.2
"""Seconds within which a connection to PostgreSQL is used again without asking if it stands."""
_LIMITS = {
    "lock_timeout": "10s",
    "statement_timeout": "20s",
    # A process of ours that is stopped in the middle gives up what it has locked.
    "idle_in_transaction_session_timeout": "15s",
}

ONE = literal_column("1", Integer)
"""For `limit`, in statements that are run often: PostgreSQL makes one plan for all parameters only
where it sees in the statement that a single row is wanted."""


def open_engine(
    url: str | URL,
    connections: int = 5,
    *,
    foreign_keys: bool = True,
    durable: bool = False,
    planned_once: bool = False,
) -> Engine:
    """An engine for `url`; plain `postgresql://` gets the driver that is installed with us.

    Args:
        url: of the database.
        connections: so many at most.
        foreign_keys: whether SQLite sees that they hold.
        durable: whether a commit waits for the disk on SQLite, too.
        planned_once: whether PostgreSQL makes one plan of a statement for all its parameters.

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
        engine = create_engine(
            _stated(parsed, durable, planned_once), isolation_level="READ COMMITTED", **pool
        )
        _ask_the_idle(engine)
        return engine
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise _unusable(f"it asks for {parsed.drivername!r}")
    if not parsed.database or parsed.database == ":memory:":
        raise _unusable("it names no file, and what is in memory survives nothing")
    engine = create_engine(parsed, **pool)
    _prepare_sqlite(engine, foreign_keys=foreign_keys, durable=durable)
    return engine


def _stated(url: URL, durable: bool, planned_once: bool) -> URL:
    """`url` with time limits and how to plan and commit; what it states itself stays."""
    stated = url.query.get("options", "")
    ours = dict(_LIMITS)
    if durable:
        ours["synchronous_commit"] = "on"
    if planned_once:
        ours["plan_cache_mode"] = "force_generic_plan"
    options = " ".join(f"-c {name}={value}" for name, value in ours.items())
    options = f"{options} {stated if isinstance(stated, str) else ' '.join(stated)}"
    missing = {name: value for name, value in _PATIENCE.items() if name not in url.query}
    return url.update_query_dict({**missing, "options": options.strip()})


def _ask_the_idle(engine: Engine) -> None:
    """See that a connection still stands before it is used, unless it has just been used.

    To ask before every transaction, as the pool can by itself, takes three of its seven trips.
    """

    @event.listens_for(engine, "checkin")
    def _note(connection: Any, record: ConnectionPoolEntry) -> None:
        del connection
        record.info["used"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _ask(connection: Any, record: ConnectionPoolEntry, proxy: object) -> None:
        del proxy
        used = record.info.get("used")
        if used is None or time.monotonic() - used < _FRESH:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise DisconnectionError(str(error)) from error  # the pool then makes a new one


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

    def __init__(
        self,
        url: str | URL,
        connections: int = 15,
        *,
        durable: bool = False,
        planned_once: bool = False,
    ) -> None:
        self.engine = open_engine(url, connections, durable=durable, planned_once=planned_once)
        self._writing = writing(self.engine)
        self._turn = threading.Lock() if self.engine.dialect.name == "sqlite" else None

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that changes nothing and waits for nobody."""
        with Session(self.engine) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that is committed at the end of the block, or rolled back if it raises."""
        with self._in_turn(), Session(self._writing) as session, session.begin():
            yield session

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """One of our threads at a time: SQLite lets the others sleep, and the unlucky for long.

        Whoever has waited as long as SQLite would let it, leaves it to SQLite to say so.
        """
        held = self._turn is not None and self._turn.acquire(timeout=_BUSY_MS / 1000)
        try:
            yield
        finally:
            if held and self._turn is not None:
                self._turn.release()

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _prepare_sqlite(engine: Engine, *, foreign_keys: bool, durable: bool) -> None:
    @event.listens_for(engine, "connect")
    def _connect(connection: Any, record: object) -> None:
        del record
        connection.isolation_level = None  # the driver shall not begin transactions by itself
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
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
