"""What happened to a job, in order and without a gap: what a reader that comes back has missed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from service.store.clock import moment
from service.store.leases import ENDED
from service.store.models import EventRow, JobRow
from service.store.session import Database
from service.store.values import Happening, Json, State

STATE, EPOCH, TRIAL = "state", "epoch", "trial"


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

    def standings(self, job_ids: Sequence[str]) -> dict[str, Standing]:
        """How far these jobs are."""
        query = select(JobRow.id, JobRow.state, JobRow.events).where(JobRow.id.in_(job_ids))
        with self.database.read() as session:
            found = session.execute(query)
            return {job_id: Standing.of(state, events) for job_id, state, events in found}


def tell(session: Session, job: JobRow, kind: str, data: Json) -> None:
    """Add an event in the transaction of what it tells of; `job` is locked by it."""
    job.events += 1
    session.add(EventRow(job_id=job.id, number=job.events, kind=kind, data=data))


def tell_state(session: Session, job: JobRow) -> None:
    """Add the event that `job` is now in the state it is in."""
    tell(session, job, STATE, state_of(job))


def state_of(job: JobRow | Row[Any]) -> Json:
    """What the event of a state says."""
    return {
        "state": job.state,
        "attempt": job.attempt,
        "crashes": job.crashes,
        "trials_done": job.trials_done,
        "error": job.error,
    }
