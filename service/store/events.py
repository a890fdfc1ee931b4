"""What happened to a job, in order and without a gap: what a reader that comes back has missed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from service.store.clock import moment
from service.store.leases import ENDED
from service.store.models import EventRow, JobRow
from service.store.session import Database
from service.store.values import Happening, Json, State

STATE, EPOCH, TRIAL = "state", "epoch", "trial"
STATE_FACTS = ("state", "attempt", "crashes", "trials_done", "error")
"""What the event of a state says of the job, by the names of its columns."""


@dataclass(frozen=True)
class Standing:
    """How far a job is: the number of its last event, and whether it has ended."""

    events: int
    ended: bool

    @classmethod
    def of(cls, state: str, events: int) -> Self:
        """Of a job in that state."""
        return cls(events, State(state) in ENDED)


@dataclass(frozen=True)
class Events:
    """The events of jobs, to be read; they are written with what they tell of."""

    database: Database

    def page(self, job_id: str, after: int, limit: int) -> list[Happening]:
        """The first `limit` events of a job whose number is larger than `after`."""
        query = (
            select(EventRow)
            .where(EventRow.job_id == job_id, EventRow.number > after)
            .order_by(EventRow.number)
            .limit(limit)
        )
        with self.database.read() as session:
            return [
                Happening(row.number, row.kind, row.data, moment(row.created_at))
                for row in session.scalars(query)
            ]

    def epochs(self, job_id: str, trials: Sequence[int], most: int) -> list[Json]:
        """What was told of the epochs of these trials, in order; of each at most `most`.

        Of more every second one is read, or every third, ..., and always the last.
        """
        place = func.row_number().over(partition_by=EventRow.trial, order_by=EventRow.number)
        count = func.count().over(partition_by=EventRow.trial)
        each = (
            select(EventRow.number, place.label("place"), count.label("count"))
            .where(EventRow.job_id == job_id, EventRow.trial.in_(trials))
            .subquery()
        )
        step = (each.c.count + (most - 2)) // (most - 1)
        wanted = ((each.c.place - 1) % step == 0) | (each.c.place == each.c.count)
        query = (
            select(EventRow.data)
            .join(each, each.c.number == EventRow.number)
            .where(EventRow.job_id == job_id, wanted)
            .order_by(EventRow.trial, EventRow.number)
        )
        with self.database.read() as session:
            return list(session.scalars(query))

    def standings(self, job_ids: Sequence[str]) -> dict[str, Standing]:
        """How far these jobs are."""
        query = select(JobRow.id, JobRow.state, JobRow.events).where(JobRow.id.in_(job_ids))
        with self.database.read() as session:
            found = session.execute(query)
            return {job_id: Standing.of(state, events) for job_id, state, events in found}


def tell(session: Session, job: JobRow, kind: str, data: Json, trial: int | None = None) -> None:
    """Add an event in the transaction of what it tells of; `job` is locked by it.

    Args:
        session: of that transaction.
        job: whose event.
        kind: of event.
        data: what it says.
        trial: number of the trial, where it is an epoch of one.
    """
    job.events += 1
    session.add(EventRow(job_id=job.id, number=job.events, kind=kind, data=data, trial=trial))


def tell_state(session: Session, job: JobRow) -> None:
    """Add the event that `job` is now in the state it is in."""
    tell(session, job, STATE, state_of(job))


def state_of(job: JobRow | Row[Any]) -> Json:
    """What the event of a state says."""
    return {name: getattr(job, name) for name in STATE_FACTS}
