"""Checks of the database: whether it is there and whole, and whether its rows agree."""

from __future__ import annotations

import time
from collections.abc import Iterator

from sqlalchemy import text

from service.doctor.findings import Finding, broken, ok, some, warning
from service.lock import database_file, holder, lock_of
from service.settings import Settings
from service.store.care import Care
from service.store.keys import Keys
from service.store.migrate import Standing, standing
from service.store.session import Database
from service.store.sqlite_file import damage, way_back

_SKEW = 2.0
"""Seconds between the two clocks from which on something is said."""
_SLACK_MS = 5_000
"""So long after its end somebody should have taken a lease away."""


def lock(settings: Settings) -> Iterator[Finding]:
    """Who works with the data."""
    if not settings.on_sqlite:
        return
    locks = (settings.data_dir / "lock", lock_of(database_file(settings)))
    holders = [found for found in map(holder, locks) if found]
    yield ok("in use by", f"the process {holders[0]}" if holders else "nobody")


def opened(settings: Settings) -> tuple[Database | None, Finding]:
    """The database, where its rows can be asked about, and how it is."""
    if settings.on_sqlite:
        file = database_file(settings)
        if not file.exists():
            return None, ok("database", f"{file} is not there yet: the first start makes it")
        if found := damage(file):
            return None, broken("database", f"{file} is damaged: {found}", way_back(file))
    database = Database(settings.database, connections=1)
    with database.engine.connect() as connection:
        finding = _standing(standing(connection), _name(database), settings.on_sqlite)
    if finding is not None:
        database.close()
        return None, finding
    return database, ok("database", f"{_name(database)}, whole and at the newest schema")


def foreign_keys(database: Database) -> Iterator[Finding]:
    """Rows that point at nothing; PostgreSQL lets nobody write such rows."""
    if database.engine.dialect.name != "sqlite":
        return
    with database.read() as session:
        found = session.execute(text("PRAGMA foreign_key_check")).all()
    if not found:
        yield ok("foreign keys", "every row points at one that is there")
        return
    tables = sorted({f"{row[0]} at {row[2]}" for row in found})
    yield broken(
        "foreign keys",
        f"{len(found)} rows point at nothing: {some(tables)}",
        "Somebody changed the file by hand: restore a backup, or submit those jobs again",
    )


def clocks(care: Care) -> Iterator[Finding]:
    """Whether the database's clock and this machine's agree."""
    before = time.time()
    theirs = care.clock() / 1000
    skew = abs(theirs - (before + time.time()) / 2)
    found = f"the database's and this machine's differ by {skew:.1f} s"
    if skew < _SKEW:
        yield ok("clocks", found)
    else:
        yield warning(
            "clocks",
            f"{found}. Leases go by the database's and are safe; times in logs do not agree",
            "Let both machines follow a time server (NTP)",
        )


def keys(settings: Settings, database: Database) -> Iterator[Finding]:
    """Who may ask, beside whoever has the token."""
    found = Keys(database).all()
    usable = sum(key.usable for key in found)
    counts = f"{usable} usable, {len(found) - usable} expired or revoked"
    if usable or (settings.on_loopback and not found):
        yield ok("API keys", counts if found else "none: only the token opens the server")
    elif found:
        yield warning("API keys", counts, "Make a new one: resnas keys create OWNER")
    else:
        yield warning(
            "API keys",
            f"none, and the server listens on {settings.host}",
            "Make one: resnas keys create OWNER",
        )


def leases(care: Care) -> Iterator[Finding]:
    """Work that a dead worker held."""
    if late := care.stale(_SLACK_MS):
        yield warning(
            "leases",
            f"{len(late)} ran out and nobody took them away: {some(late)}",
            "Start the server or a worker: it queues them again within seconds",
        )
    else:
        yield ok("leases", "none that ran out")


def events(care: Care) -> Iterator[Finding]:
    """Whether each job's events are numbered without a gap."""
    gaps = care.gaps()
    if not gaps:
        yield ok("events", "numbered without gaps")
        return
    jobs = [f"{gap.job_id} ({gap.counted} of {gap.stored})" for gap in gaps]
    yield broken(
        "events",
        f"{len(gaps)} jobs lack some: {some(jobs)}",
        "Whoever follows these jobs misses those events; their results are not affected",
    )


def counts(care: Care) -> Iterator[Finding]:
    """Whether each job counts as many ended trials as there are."""
    wrong = care.miscounted()
    if not wrong:
        yield ok("trial counts", "agree with the trials")
        return
    jobs = [f"{job.job_id} ({job.stored}, there are {job.counted})" for job in wrong]
    yield broken(
        "trial counts",
        f"{len(wrong)} jobs are wrong: {some(jobs)}",
        "resnas doctor --repair counts again",
        care.recount,
    )


def _standing(found: Standing, name: str, on_sqlite: bool) -> Finding | None:
    """What keeps this version from reading the rows; None: nothing."""
    if not found.known:
        return broken(
            "database",
            f"{name}: its schema {found.found!r} is from a newer version of resnas",
            "Install that version, or use another data directory or database",
        )
    if found.found is None:
        return ok("database", f"{name} has no tables yet: the first start makes them")
    if found.found != found.newest:
        first = " after a backup" if on_sqlite else ""
        return warning(
            "database",
            f"{name}: its schema is {found.found}, this version needs {found.newest}",
            f"The next start of the server or a worker changes it{first}",
        )
    return None


def _name(database: Database) -> str:
    return database.engine.url.set(query={}).render_as_string(hide_password=True)
