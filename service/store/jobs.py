"""Queries about jobs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import case, delete, func, select
from sqlalchemy.orm import Session

from resnas.results import TrialState
from resnas.spec import JobSpec
from service.errors import Failure
from service.store import handover, leases
from service.store.clock import moment, now_ms
from service.store.events import tell_state
from service.store.ids import is_id, new_id
from service.store.leases import Moves
from service.store.models import JobRow, TrialRow
from service.store.session import Database
from service.store.values import LEASED, LOCAL, Job, Json, Lease, State


@dataclass(frozen=True)
class Jobs:
    """Jobs as the database has them; every method is one transaction.

    Where a method takes an `owner`, what belongs to others is not there for it.
    """

    database: Database

    def add(
        self,
        spec: JobSpec,
        estimate: Json,
        owner: str = LOCAL,
        priority: int = 0,
        also: Callable[[Session, Job], None] | None = None,
    ) -> Job:
        """A new job in state queued; it is durable when this returns.

        Args:
            spec: what is asked for.
            estimate: of its cost, as it is answered.
            owner: whose job it is.
            priority: of the owner's jobs the highest is claimed first.
            also: what is written in the same transaction.
        """
        with self.database.write() as session:
            facts = {
                "id": new_id(),
                "owner": owner,
                "rank": -priority,
                "backbone": spec.backbone[:200],
                "dataset": spec.dataset[:200],
                "spec": spec.model_dump(mode="json"),
                "estimate": estimate,
                "trials_total": spec.trials,
            }
            job = _job(handover.hand_in(session, facts))
            if also:
                also(session, job)
            return job

    def get(self, job_id: str, owner: str | None = None) -> Job | None:
        """The job of that id."""
        with self.database.read() as session:
            row = session.get(JobRow, job_id) if is_id(job_id) else None
            return _job(row) if row and owner in (None, row.owner) else None

    def page(
        self,
        limit: int,
        state: State | None = None,
        before: str | None = None,
        owner: str | None = None,
    ) -> list[Job]:
        """The newest `limit` jobs, of one state and older than `before` where these are given."""
        query = select(JobRow).order_by(JobRow.id.desc()).limit(limit)
        if state is not None:
            query = query.where(JobRow.state == state)
        if before is not None:
            query = query.where(JobRow.id < before)
        if owner is not None:
            query = query.where(JobRow.owner == owner)
        with self.database.read() as session:
            return [_job(row) for row in session.scalars(query)]

    def count(self, owner: str | None = None) -> dict[State, int]:
        """How many jobs are in each state that is not the end."""
        open_states = (State.QUEUED, *LEASED)
        query = select(JobRow.state, func.count()).where(JobRow.state.in_(open_states))
        if owner is not None:
            query = query.where(JobRow.owner == owner)
        with self.database.read() as session:
            found = {State(state): n for state, n in session.execute(query.group_by(JobRow.state))}
        return {state: found.get(state, 0) for state in open_states}

    def stored(self, owner: str, most: int) -> int:
        """How many jobs of the owner there are in any state; not counted further than `most`."""
        found = select(JobRow.id).where(JobRow.owner == owner).limit(most).subquery()
        with self.database.read() as session:
            return session.scalar(select(func.count()).select_from(found)) or 0

    def parameters(self, owner: str) -> float:
        """How many numbers the weights of the owner's trials are at most.

        Jobs that are not over count with all their trials, each with the backbone's parameters.
        """
        is_open = JobRow.state.in_((State.QUEUED, *LEASED))
        trials = case((is_open, JobRow.trials_total), else_=JobRow.trials_done)
        found = trials * JobRow.estimate["params"].as_float()
        with self.database.read() as session:
            if session.get_bind().dialect.name == "sqlite":  # it reads on past no torn document
                found = case((func.json_valid(JobRow.estimate), found))
            return session.scalar(select(func.sum(found)).where(JobRow.owner == owner)) or 0.0

    def claim(
        self, worker: str, seconds: float, moves: Moves, most: int = 0
    ) -> tuple[Job, Lease] | None:
        """Give a queued job to `worker`; None if there is none.

        What was at work before goes first. Else it is the turn of the owner with the fewest
        running jobs, of equal ones of whoever has waited longest; then of that owner's jobs by
        priority and age. Those of owners with `most` running ones wait (0: nobody's do).
        """
        with self.database.write() as session:
            row = handover.take(session, worker, seconds, moves, most)
            return (_job(row), Lease(row.id, worker, row.attempt)) if row else None

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
            return State(handover.give_back(session, lease, moves, error).state)

    def crash(self, lease: Lease, release: Moves, fail: Moves, error: Failure) -> State:
        """The attempt ended without an answer: to be tried again, or failed if it was the last.

        Raises:
            LeaseLost: somebody else has it, or it is over.
        """
        with self.database.write() as session:
            row = leases.fenced(session, JobRow, lease)
            leases.crash(session, row, release, fail, error)
            return _moved(session, row)

    def expire(self, release: Moves, fail: Moves, *, whoever: bool = False) -> list[str]:
        """Take away every lease whose time is over; returns the ids of those jobs.

        Args:
            release: moves of that event, for what is to be tried again.
            fail: moves of that event, for what used up its attempts.
            whoever: take away all, because no other process works with this database.
        """
        with self.database.write() as session:
            late = leases.overdue(session, JobRow, whoever=whoever)
            for row in late:
                leases.crash(session, row, release, fail, leases.silence(row))
                _moved(session, row)
            return [row.id for row in late]

    def cancel(
        self, job_id: str, cancel: Moves, release: Moves, owner: str | None = None
    ) -> Job | None:
        """Ask for the end of a job; one whose worker's lease is over ends at once.

        Returns:
            The job as it is now, unchanged where `cancel` has no step for its state; None if
            there is no such job.
        """
        with self.database.write() as session:
            row = _locked(session, job_id, owner)
            if row is None:
                return None
            before = State(row.state)
            if before in cancel:
                _cancel(session, row, cancel, release)
                if State(row.state) is not before:
                    _moved(session, row)
            session.flush()
            return _job(row)

    def retry(
        self,
        job_id: str,
        moves: Moves,
        owner: str | None = None,
        also: Callable[[Session, Job], None] | None = None,
    ) -> Job | None:
        """Queue a job that failed once more; the trials that completed are kept.

        Args:
            job_id: of a job of `owner`, where one is named.
            moves: of that event.
            owner: whose job it has to be.
            also: what is written in the same transaction where that queues the job.

        Returns:
            The job as it is now, unchanged where `moves` has no step for its state; None if
            there is no such job.
        """
        with self.database.write() as session:
            row = _locked(session, job_id, owner)
            if row is None:
                return None
            if State(row.state) not in moves:
                return _job(row)
            _queue_again(session, row, moves)
            job = _job(row)
            if also:
                also(session, job)
            return job


def _locked(session: Session, job_id: str, owner: str | None) -> JobRow | None:
    query = select(JobRow).where(JobRow.id == job_id).with_for_update()
    row = session.scalar(query) if is_id(job_id) else None
    return row if row and owner in (None, row.owner) else None


def _queue_again(session: Session, row: JobRow, moves: Moves) -> None:
    row.state = moves[State(row.state)]
    row.error = row.finished_at = row.reached = None
    row.crashes = row.not_before = 0
    again = (TrialRow.job_id == row.id, TrialRow.state != TrialState.COMPLETE)
    session.execute(delete(TrialRow).where(*again))
    kept = select(func.count()).where(TrialRow.job_id == row.id)
    row.trials_done = session.scalar(kept) or 0
    tell_state(session, row)
    session.flush()


def _cancel(session: Session, row: JobRow, cancel: Moves, release: Moves) -> None:
    new = cancel[State(row.state)]
    now = session.scalar(select(now_ms())) or 0
    if new is State.CANCELLING and row.lease_until is not None and row.lease_until >= now:
        if State(row.state) is not new:
            row.state = new
            row.lease_until = min(row.lease_until, now + round(leases.CANCEL_WITHIN * 1000))
        return
    row.state = release.get(new, new)
    row.worker = row.lease_until = row.error = None
    row.finished_at = row.finished_at or now


def _moved(session: Session, row: JobRow) -> State:
    """What goes with every step: the event, and no trial runs on; returns the new state."""
    state = State(row.state)
    row.interrupted = state is State.QUEUED
    if state not in LEASED:
        handover.settle(session, row.id, state)
    tell_state(session, row)
    return state


def _document(found: object) -> Json:
    """An object of JSON, empty where something else is stored: one bad row must not hide others."""
    return found if isinstance(found, dict) else {}


def _job(row: JobRow | handover.JobFacts) -> Job:
    return Job(
        id=row.id,
        state=State(row.state),
        owner=row.owner,
        priority=-row.rank,
        events=row.events,
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
