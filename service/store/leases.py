"""Claim, renew, give back, take away: the same protocol for jobs and exports.

A claim sets owner, deadline and attempt in one statement. Every later write of the worker names
(id, owner, attempt); where that is not the row's any more, nothing is written and the worker is
told to stop. A late write of an attempt that nobody has replaced yet is still accepted.

Which state follows which is not decided here: callers pass the moves of one event.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from sqlalchemy import literal, select, update
from sqlalchemy.orm import Session

from service.errors import Failure, LeaseLost
from service.store.clock import now_ms
from service.store.models import ExportRow, JobRow
from service.store.values import LEASED, Lease, State

Row = TypeVar("Row", JobRow, ExportRow)
Moves = Mapping[State, State]
"""For one event: from which state to which."""

PAUSES = (2.0, 10.0)
"""Seconds between a crash and the next attempt, after the first crash, the second, ..."""
MAX_CRASHES = len(PAUSES) + 1
ENDED = (State.SUCCEEDED, State.FAILED, State.CANCELLED)


def claim(
    session: Session, model: type[Row], owner: str, seconds: float, moves: Moves
) -> Row | None:
    """Give the oldest waiting row to `owner` for `seconds`; None if nothing waits."""
    ((waiting, running),) = moves.items()
    oldest = (
        select(model.id)
        .where(model.state == waiting, model.not_before <= now_ms())
        .order_by(model.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    taken = (
        update(model)
        .where(model.id == oldest)
        .values(
            state=running,
            owner=owner,
            lease_until=now_ms() + literal(round(seconds * 1000)),
            attempt=model.attempt + 1,
            started_at=now_ms(),
        )
        .returning(model)
        .execution_options(synchronize_session=False)
    )
    return session.execute(taken).scalar_one_or_none()


def fenced(session: Session, model: type[Row], lease: Lease) -> Row:
    """The row that `lease` is about, locked until the transaction ends.

    Raises:
        LeaseLost: another attempt has begun, or the work is over.
    """
    row = session.execute(
        select(model)
        .where(
            model.id == lease.id,
            model.owner == lease.owner,
            model.attempt == lease.attempt,
            model.state.in_(LEASED),
        )
        .with_for_update()
    ).scalar_one_or_none()
    if row is None:
        raise LeaseLost(
            f"{model.__tablename__} {lease.id}",
            f"attempt {lease.attempt} of {lease.owner} is not the current one any more",
            "Stop working on it; whoever holds it now goes on",
        )
    return row


def renew(session: Session, model: type[Row], lease: Lease, seconds: float) -> State:
    """Hold the row for `seconds` from now; returns its state, which may ask for a stop.

    Raises:
        LeaseLost: as `fenced`.
    """
    row = fenced(session, model, lease)
    row.lease_until = _in(session, seconds)
    return State(row.state)


def move(session: Session, row: Row, moves: Moves, error: Failure | None) -> State:
    """Take the step that `moves` has for the row's state, and give up its lease."""
    new = moves[State(row.state)]
    row.state = new
    row.owner = row.lease_until = None
    row.error = error.model_dump() if error and new is not State.CANCELLED else None
    if new in ENDED:
        row.finished_at = session.scalar(select(now_ms()))
    return new


def crash(session: Session, row: Row, release: Moves, fail: Moves, error: Failure) -> State:
    """An attempt ended without an answer: pause before the next, or fail if it was the last."""
    row.crashes += 1
    last = row.crashes >= MAX_CRASHES
    if last:
        error = error.model_copy(update={"found": f"{error.found}, {row.crashes} times"})
    else:
        row.not_before = _in(session, PAUSES[row.crashes - 1])
    return move(session, row, fail if last else release, error)


def expire(
    session: Session, model: type[Row], release: Moves, fail: Moves
) -> Sequence[tuple[str, State]]:
    """Take away every lease whose time is over; returns what became of each row."""
    overdue = session.scalars(
        select(model)
        .where(model.state.in_(LEASED), model.lease_until < now_ms())
        .with_for_update(skip_locked=True)
    )
    return [(row.id, crash(session, row, release, fail, _silence(row))) for row in overdue]


def _in(session: Session, seconds: float) -> int:
    """The database's time, so many seconds from now."""
    return session.execute(select(now_ms() + literal(round(seconds * 1000)))).scalar_one()


def _silence(row: JobRow | ExportRow) -> Failure:
    return Failure(
        place=f"worker {row.owner}",
        found="it was not heard of until its lease ran out",
        next_step="See whether the worker still runs, and its log",
    )
