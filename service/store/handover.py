"""A job is handed in, taken and given back: what a busy server does most, in a few statements.

It is the protocol of `leases`, with a job's turn, event and trials. The statements are built once:
to build one takes longer than to run it.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    String,
    bindparam,
    case,
    delete,
    exists,
    false,
    func,
    insert,
    literal,
    null,
    select,
    update,
)
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningUpdate

from resnas.results import TrialState
from service.errors import Failure
from service.store import turns
from service.store.clock import now_ms
from service.store.events import STATE, STATE_FACTS, state_of
from service.store.leases import ENDED, Moves, lost
from service.store.models import EventRow, JobRow, TrialRow
from service.store.session import ONE
from service.store.values import LEASED, Json, Lease, State

JobFacts = Row[Any]
"""Columns of a job, as they are after the statement."""

_ALL = tuple(JobRow.__table__.c)
_TOLD = tuple(JobRow.__table__.c[name] for name in ("id", "events", *STATE_FACTS))
"""What the event of a state is made from."""

_HAND_IN = insert(JobRow).returning(*_ALL)
_TELL = insert(EventRow)


class _Step:
    """A statement that moves a job, and the event that tells of it.

    PostgreSQL does both in one statement, which saves a trip of four; SQLite has no such form.
    """

    def __init__(self, moving: ReturningUpdate[Any]) -> None:
        self._moving = moving
        job = moving.cte("job")
        says = chain.from_iterable((name, job.c[name]) for name in STATE_FACTS)
        event = {
            "job_id": job.c.id,
            "number": job.c.events,
            "kind": literal(STATE),
            "data": func.json_build_object(*says),
            "created_at": now_ms(),
        }
        telling = insert(EventRow).from_select([*event], select(*event.values()))
        self._telling = select(job).add_cte(telling.cte("told"))

    def take(self, connection: Connection, given: Json) -> JobFacts | None:
        """The job as it is then; None: there is none to be moved."""
        if connection.dialect.name == "postgresql":
            return connection.execute(self._telling, given).one_or_none()
        job = connection.execute(self._moving, given).one_or_none()
        if job is not None:
            _tell(connection, job)
        return job


def _take(whose: ColumnElement[str]) -> _Step:
    """What was interrupted; else of the owner `whose` the first by priority and age."""
    first = (
        select(JobRow.id)
        .where(
            JobRow.state == bindparam("waiting"),
            JobRow.owner == whose,
            JobRow.not_before <= now_ms(),
        )
        .order_by(JobRow.rank, JobRow.id)
        .limit(ONE)
        .with_for_update(skip_locked=True)
    )
    id_ = func.coalesce(turns.INTERRUPTED_FIRST.scalar_subquery(), first.scalar_subquery())
    taken = update(JobRow).where(JobRow.id == id_)
    return _Step(
        taken.values(
            state=bindparam("running"),
            worker=bindparam("by"),
            lease_until=now_ms() + bindparam("milliseconds", type_=BigInteger),
            attempt=JobRow.attempt + 1,
            started_at=now_ms(),
            interrupted=false(),
            events=JobRow.events + 1,
        ).returning(*_ALL)
    )


_TAKE_BY_TURN = _take(turns.BY_TURNS.limit(ONE).scalar_subquery())
_TAKE_OF = _take(bindparam("whose", type_=String))

_unfinished = (TrialRow.job_id == bindparam("job"), TrialRow.state == TrialState.RUNNING)
_new = case(
    (JobRow.state == State.RUNNING, bindparam("from_running", type_=String)),
    else_=bindparam("from_cancelling", type_=String),
)
_GIVE_BACK = _Step(
    update(JobRow)
    .where(
        JobRow.id == bindparam("job"),
        JobRow.worker == bindparam("by"),
        JobRow.attempt == bindparam("at"),
        JobRow.state.in_(LEASED),
    )
    .values(
        state=_new,
        worker=null(),
        lease_until=null(),
        error=case(
            (_new == State.CANCELLED, null()),
            else_=bindparam("reason", type_=JSON(none_as_null=True)),
        ),
        finished_at=case((_new.in_(ENDED), now_ms()), else_=JobRow.finished_at),
        interrupted=_new == State.QUEUED,
        events=JobRow.events + 1,
    )
    .returning(*_TOLD, exists().where(*_unfinished).label("unfinished"))
)

_FORGET = delete(TrialRow).where(*_unfinished)
_STOP = update(TrialRow).where(*_unfinished).values(state=TrialState.STOPPED, finished_at=now_ms())


def hand_in(session: Session, facts: Json) -> JobFacts:
    """Add a job with these columns, in the state in which it waits."""
    connection = session.connection()
    job = connection.execute(_HAND_IN, facts | {"events": 1}).one()
    _tell(connection, job)
    return job


def take(
    session: Session, worker: str, seconds: float, moves: Moves, most: int = 0
) -> JobFacts | None:
    """Give the job whose turn it is to `worker` for `seconds`; None if none waits.

    Args:
        session: of a transaction that writes.
        worker: who asks.
        seconds: until its lease runs out if it is not renewed.
        moves: from the one state that waits to the one that runs.
        most: how many jobs of one owner may run at the same time; 0: any number.
    """
    ((waiting, running),) = moves.items()
    given = {
        "waiting": waiting,
        "running": running,
        "by": worker,
        "milliseconds": round(seconds * 1000),
        "most": most,
    }
    connection = session.connection()
    job = _TAKE_BY_TURN.take(connection, given)
    if job is None:  # that owner's jobs all pause after a crash, or others have just taken them
        for owner in connection.scalars(turns.BY_TURNS, {"most": most}).all():
            job = _TAKE_OF.take(connection, given | {"whose": owner})
            if job is not None:
                break
    return job


def give_back(session: Session, lease: Lease, moves: Moves, error: Failure | None) -> JobFacts:
    """Take the step of `moves` for a job, and give up its lease.

    Raises:
        LeaseLost: another attempt has begun, or the work is over.
    """
    given = {
        "job": lease.id,
        "by": lease.worker,
        "at": lease.attempt,
        "from_running": moves[State.RUNNING],
        "from_cancelling": moves[State.CANCELLING],
        "reason": error.model_dump() if error else None,
    }
    job = _GIVE_BACK.take(session.connection(), given)
    if job is None:
        raise lost(JobRow, lease)
    if job.unfinished:
        settle(session, job.id, State(job.state))
    return job


def settle(session: Session, job_id: str, state: State) -> None:
    """No trial runs once its job does not: the next attempt begins it anew, or it was stopped."""
    step = _FORGET if state is State.QUEUED else _STOP
    session.connection().execute(step, {"job": job_id})


def _tell(connection: Connection, job: JobFacts) -> None:
    event = {"job_id": job.id, "number": job.events, "kind": STATE, "data": state_of(job)}
    connection.execute(_TELL, event)
