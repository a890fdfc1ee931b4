"""Claim, renew, give back, take away: the same protocol for jobs and exports.

A claim sets worker, deadline and attempt in one statement. Every later write of the worker names
(id, worker, attempt); where that is not the row's any more, nothing is written and the worker is
told to stop. A late write of an attempt that nobody has replaced yet is still accepted.

Which state follows which is not decided here: callers pass the moves of one event.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from sqlalchemy import ColumnElement, literal, select, true, update
from sqlalchemy.orm import Session

from resnas.causes import Cause
from service.errors import Failure, LeaseLost
from service.store.clock import now_ms
from service.store.models import ExportRow, JobRow
from service.store.values import LEASED, Lease, State

Row = TypeVar("Row", JobRow, ExportRow)
Moves = Mapping[State, State]
"""For one event: from which state to which."""

PAUSES = (0.0, 3.0, 10.0, 30.0)
"""Seconds between a crash and the next attempt, after the first crash, the second, ...

None after the first, which may well be no fault of the job: while it paused, another one would be
taken, and it would wait for all of that. Nor where a worker went silent: its lease was the pause.
"""
LOST = "lost"
"""The reason of an attempt whose worker went silent."""
MAX_CRASHES = len(PAUSES) + 1
"""So many attempts in a row that bring nothing are a poisonous job's."""
AWAY = 15.0
"""Seconds between two looks whether what was away has come back."""
CANCEL_WITHIN = 8.0
"""Seconds that a worker has to end what is to be cancelled; then it is cancelled without it."""
ENDED = (State.SUCCEEDED, State.FAILED, State.CANCELLED)


def claim(
    session: Session,
    model: type[Row],
    worker: str,
    seconds: float,
    moves: Moves,
    among: ColumnElement[bool],
) -> Row | None:
    """Give the oldest waiting row to `worker` for `seconds`; None if nothing waits.

    Jobs are taken by turns: see `handover`.

    Args:
        session: of a transaction that writes.
        model: which rows.
        worker: who asks.
        seconds: until its lease runs out if it is not renewed.
        moves: from the one state that waits to the one that runs.
        among: which of the waiting rows.
    """
    ((waiting, running),) = moves.items()
    first = (
        select(model.id)
        .where(model.state == waiting, model.not_before <= now_ms(), among)
        .order_by(model.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    taken = (
        update(model)
        .where(model.id == first)
        .values(
            state=running,
            worker=worker,
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
            model.worker == lease.worker,
            model.attempt == lease.attempt,
            model.state.in_(LEASED),
        )
        .with_for_update()
    ).scalar_one_or_none()
    if row is None:
        raise lost(model, lease)
    return row


def lost(model: type[Row], lease: Lease) -> LeaseLost:
    """What whoever holds an old lease is told."""
    return LeaseLost(
        f"{model.__tablename__} {lease.id}",
        f"attempt {lease.attempt} of {lease.worker} is not the current one any more",
        "Stop working on it; whoever holds it now goes on",
    )


def renew(session: Session, model: type[Row], lease: Lease, seconds: float) -> State:
    """Hold the row for `seconds` from now; returns its state, which may ask for a stop.

    What is to be cancelled is held no longer than its worker was given to end it.

    Raises:
        LeaseLost: as `fenced`.
    """
    row = fenced(session, model, lease)
    if State(row.state) is not State.CANCELLING:
        row.lease_until = in_seconds(session, seconds)
    return State(row.state)


def move(session: Session, row: Row, moves: Moves, error: Failure | None) -> State:
    """Take the step that `moves` has for the row's state, and give up its lease."""
    new = moves[State(row.state)]
    row.state = new
    row.worker = row.lease_until = None
    row.error = error.model_dump() if error and new is not State.CANCELLED else None
    if new in ENDED:
        row.finished_at = session.scalar(select(now_ms()))
    return new


def crash(session: Session, row: Row, release: Moves, fail: Moves, error: Failure) -> State:
    """An attempt ended without an answer: pause before the next, or fail if it was the last.

    Where a storage or a cluster is away, the job is not to blame, and waits for it.
    """
    away = error.reason == Cause.UNREACHABLE
    row.crashes += not away
    last = row.crashes >= MAX_CRASHES
    if last:
        found = f"{error.found}, {row.crashes} times in a row without any progress"
        error = error.model_copy(update={"found": found, "reason": "poison"})
    else:
        pauses = {Cause.UNREACHABLE: AWAY, LOST: 0.0}
        pause = pauses.get(error.reason, PAUSES[row.crashes - 1])
        row.not_before = in_seconds(session, pause)
    return move(session, row, fail if last else release, error)


def overdue(session: Session, model: type[Row], *, whoever: bool = False) -> list[Row]:
    """The rows whose lease is over, locked; `whoever`: all that are leased.

    Who shares the database with no other process may say `whoever` before it begins: the workers
    that held those leases are gone.
    """
    late = true() if whoever else model.lease_until < now_ms()
    query = select(model).where(model.state.in_(LEASED), late)
    return list(session.scalars(query.with_for_update(skip_locked=True)))


def in_seconds(session: Session, seconds: float) -> int:
    """The database's time, so many seconds from now."""
    return session.execute(select(now_ms() + literal(round(seconds * 1000)))).scalar_one()


def silence(row: JobRow | ExportRow) -> Failure:
    """The reason of an attempt that was not heard of any more."""
    return Failure(
        place=f"worker {row.worker}",
        found="it was not heard of until its lease ran out",
        next_step="See whether the worker still runs, and its log",
        reason=LOST,
    )
