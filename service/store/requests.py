"""Requests that may be sent again: who asked what under which key, and what was answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, delete, literal, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from service.errors import InFlight
from service.store.clock import now_ms
from service.store.models import RequestRow
from service.store.session import Database
from service.store.values import Json

IN_FLIGHT = 15.0
"""Seconds after which a request without an answer may be sent again: its server may have died."""
ABANDONED = 600.0
"""Seconds after which it is forgotten: a long one that nobody sent again may still be answered."""
KEPT = 24 * 3600.0
"""Seconds that an answer is kept."""
BRIEFLY = 600.0
"""The same, of a request that changed nothing: nothing else bounds how many of them there are."""
_SWEPT = 100
"""So many records of no use are deleted with each new one."""


@dataclass(frozen=True)
class Asked:
    """What is known of a key.

    Attributes:
        digest: of what was asked under it.
        status: of the answer; null while there is none.
        answer: that was given.
        until: milliseconds on the database's clock; the name of this try, too.
        ours: whether it is in flight because of this very request.
    """

    digest: str
    status: int | None
    answer: Json | None
    until: int
    ours: bool


@dataclass(frozen=True)
class Requests:
    """Requests as the database has them; every method but `keep` is one transaction."""

    database: Database

    def begin(self, owner: str, key: str, digest: str) -> Asked:
        """Note that a request is in flight, unless there is a record of its key already."""
        with self.database.write() as session:
            _sweep(session)
            until = session.scalar(_noted(session, owner, key, digest))
            if until is not None:
                return Asked(digest, None, None, until, ours=True)
            row = session.get_one(RequestRow, (owner, key))
            return Asked(row.digest, row.status, row.answer, row.until, ours=False)

    def forget_unanswered(self) -> None:
        """Nothing is in flight: for a program that has just begun to be the only one here."""
        with self.database.write() as session:
            session.execute(delete(RequestRow).where(RequestRow.status.is_(None)))

    def forget(self, owner: str, key: str, until: int) -> None:
        """Nothing came of a request that is in flight: the next one is a first one."""
        with self.database.write() as session:
            session.execute(delete(RequestRow).where(*_in_flight(owner, key, until)))

    def keep(
        self, session: Session, owner: str, key: str, until: int, *, status: int, answer: Json
    ) -> None:
        """Keep what is answered to a request, in the transaction of what it did.

        Raises:
            InFlight: it took so long that the same one, sent again, was let in.
        """
        if not _answered(session, owner, key, until, KEPT, status=status, answer=answer):
            raise InFlight(
                "Idempotency-Key",
                "this request took so long that the same one was let in again",
                "Send it once more, to get the answer of the other one",
            )

    def keep_briefly(self, owner: str, key: str, until: int, *, status: int, answer: Json) -> None:
        """Keep what is answered to a request that changed nothing."""
        with self.database.write() as session:
            _answered(session, owner, key, until, BRIEFLY, status=status, answer=answer)


def _answered(
    session: Session,
    owner: str,
    key: str,
    until: int,
    seconds: float,
    *,
    status: int,
    answer: Json,
) -> bool:
    """Whether it was still in flight; then it is no more."""
    done = (
        update(RequestRow)
        .where(*_in_flight(owner, key, until))
        .values(status=status, answer=answer, until=_in_seconds(seconds))
        .returning(RequestRow.key)
        .execution_options(synchronize_session=False)
    )
    return session.scalar(done) is not None


def over() -> ColumnElement[bool]:
    """Whether a record is of no use any more."""
    abandoned = RequestRow.until < _in_seconds(IN_FLIGHT - ABANDONED)
    return (RequestRow.until < now_ms()) & or_(RequestRow.status.is_not(None), abandoned)


def _noted(session: Session, owner: str, key: str, digest: str) -> Any:
    """Add the record, or take over one whose time is over; returns `until`, or nothing."""
    dialect = session.get_bind().dialect.name
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    values = {
        "digest": digest,
        "status": None,
        "answer": None,
        "until": _in_seconds(IN_FLIGHT),
    }
    return (
        insert(RequestRow)
        .values(owner=owner, key=key, **values)
        .on_conflict_do_update(
            index_elements=[RequestRow.owner, RequestRow.key],
            set_=values,
            where=RequestRow.until < now_ms(),
        )
        .returning(RequestRow.until)
    )


def _sweep(session: Session) -> None:
    """Delete some records of no use; those that somebody else deletes are skipped."""
    useless = (
        select(RequestRow.owner, RequestRow.key)
        .where(over())
        .order_by(RequestRow.until)
        .limit(_SWEPT)
        .with_for_update(skip_locked=True)
    )
    found = session.execute(useless).all()
    if found:
        named = tuple_(RequestRow.owner, RequestRow.key).in_([tuple(row) for row in found])
        session.execute(delete(RequestRow).where(named))


def _in_flight(owner: str, key: str, until: int) -> tuple[Any, ...]:
    """`until` names the try: one that was taken over must not end the other's."""
    return (
        RequestRow.owner == owner,
        RequestRow.key == key,
        RequestRow.status.is_(None),
        RequestRow.until == until,
    )


def _in_seconds(seconds: float) -> Any:
    return now_ms() + literal(round(seconds * 1000))
