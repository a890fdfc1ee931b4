"""Queries about jobs."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from resnas.results import TrialState
from resnas.spec import JobSpec
from service.errors import Failure
from service.store import leases
from service.store.clock import moment, now_ms
from service.store.ids import is_id, new_id
from service.store.leases import Moves
from service.store.models import JobRow, TrialRow
from service.store.session import Database
from service.store.values import Job, Json, Lease, State


@dataclass(frozen=True)
class Jobs:
    """Jobs as the database has them; every method is one transaction."""

    database: Database

    def add(self, spec: JobSpec, estimate: Json) -> Job:
        """A new job in state queued; it is durable when this returns."""
        with self.database.write() as session:
            row = JobRow(
                id=new_id(),
                spec=spec.model_dump(mode="json"),
                estimate=estimate,
                trials_total=spec.trials,
            )
            session.add(row)
            session.flush()
            session.refresh(row)
            return _job(row)

    def get(self, job_id: str) -> Job | None:
        """The job of that id."""
        with self.database.read() as session:
            row = session.get(JobRow, job_id) if is_id(job_id) else None
            return _job(row) if row else None

    def page(self, limit: int, state: State | None = None, before: str | None = None) -> list[Job]:
        """The newest `limit` jobs, of one state and older than `before` where these are given."""
        query = select(JobRow).order_by(JobRow.id.desc()).limit(limit)
        if state is not None:
            query = query.where(JobRow.state == state)
        if before is not None:
            query = query.where(JobRow.id < before)
        with self.database.read() as session:
            return [_job(row) for row in session.scalars(query)]

    def claim(self, owner: str, seconds: float, moves: Moves) -> tuple[Job, Lease] | None:
        """Give the oldest queued job to `owner`; None if there is none."""
        with self.database.write() as session:
            row = leases.claim(session, JobRow, owner, seconds, moves)
            return (_job(row), Lease(row.id, owner, row.attempt)) if row else None

    def renew(self, lease: Lease, seconds: float) -> State:
        """Hold the job for `seconds` from now; returns its state, which may ask for a stop.

        Raises:
            LeaseLost: somebody else has it, or it is over.
        """
        with self.database.write() as session:
            return leases.renew(session, JobRow, lease, seconds)

    def finish(self, lease: Lease, moves: Moves, error: Failure | None = None) -> State:
        """Take the step of `moves` and give the lease back; returns the new state.

        Raises:
            LeaseLost: somebody else has it, or it is over.
        """
        with self.database.write() as session:
            row = leases.fenced(session, JobRow, lease)
            state = leases.move(session, row, moves, error)
            _settle_trials(session, row.id, state)
            return state

    def crash(self, lease: Lease, release: Moves, fail: Moves, error: Failure) -> State:
        """The attempt ended without an answer: to be tried again, or failed if it was the last.

        Raises:
            LeaseLost: somebody else has it, or it is over.
        """
        with self.database.write() as session:
            row = leases.fenced(session, JobRow, lease)
            state = leases.crash(session, row, release, fail, error)
            _settle_trials(session, row.id, state)
            return state

    def expire(self, release: Moves, fail: Moves) -> list[str]:
        """Take away every lease whose time is over; returns the ids of those jobs."""
        with self.database.write() as session:
            taken = leases.expire(session, JobRow, release, fail)
            for job_id, state in taken:
                _settle_trials(session, job_id, state)
            return [job_id for job_id, _ in taken]

    def cancel(self, job_id: str, cancel: Moves, release: Moves) -> Job | None:
        """Ask for the end of a job; one whose worker's lease is over ends at once.

        Returns:
            The job as it is now, unchanged where `cancel` has no step for its state; None if
            there is no such job.
        """
        with self.database.write() as session:
            query = select(JobRow).where(JobRow.id == job_id).with_for_update()
            row = session.scalar(query) if is_id(job_id) else None
            if row is None:
                return None
            if State(row.state) in cancel:
                _cancel(session, row, cancel, release)
            session.flush()
            return _job(row)


def _cancel(session: Session, row: JobRow, cancel: Moves, release: Moves) -> None:
    new = cancel[State(row.state)]
    now = session.scalar(select(now_ms())) or 0
    if new is State.CANCELLING and row.lease_until is not None and row.lease_until >= now:
        row.state = new
        return
    row.state = release.get(new, new)
    row.owner = row.lease_until = row.error = None
    row.finished_at = row.finished_at or now
    _settle_trials(session, row.id, State(row.state))


def _settle_trials(session: Session, job_id: str, state: State) -> None:
    """No trial runs once its job does not: the next attempt begins it anew, or it was stopped."""
    unfinished = (TrialRow.job_id == job_id, TrialRow.state == TrialState.RUNNING)
    if state is State.QUEUED:
        session.execute(delete(TrialRow).where(*unfinished))
    else:
        session.execute(
            update(TrialRow)
            .where(*unfinished)
            .values(state=TrialState.STOPPED, finished_at=now_ms())
            .execution_options(synchronize_session=False)
        )


def _document(found: object) -> Json:
    """An object of JSON, empty where something else is stored: one bad row must not hide others."""
    return found if isinstance(found, dict) else {}


def _job(row: JobRow) -> Job:
    return Job(
        id=row.id,
        state=State(row.state),
        spec=_document(row.spec),
        estimate=_document(row.estimate),
        trials_done=row.trials_done,
        trials_total=row.trials_total,
        attempt=row.attempt,
        crashes=row.crashes,
        error=Failure.model_validate(row.error) if row.error else None,
        created_at=moment(row.created_at),
        started_at=moment(row.started_at),
        finished_at=moment(row.finished_at),
    )
