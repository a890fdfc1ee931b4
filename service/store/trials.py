"""Queries about trials and the architectures that they found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from resnas.results import Architecture, EpochMetrics, TrialResult, TrialState
from service.store import leases
from service.store.clock import moment, now_ms
from service.store.events import EPOCH, TRIAL, tell
from service.store.ids import is_id, new_id
from service.store.models import ArchitectureRow, JobRow, TrialRow
from service.store.session import Database
from service.store.values import Json, Lease, StoredArchitecture, Trial


@dataclass(frozen=True)
class Lately:
    """How long a trial took, in seconds, or how far it is: its latest epoch."""

    state: str
    seconds: float | None
    progress: Json | None


@dataclass(frozen=True)
class Trials:
    """Trials as the database has them; every method is one transaction."""

    database: Database

    def progress(self, lease: Lease, metrics: EpochMetrics) -> None:
        """Keep a running trial's latest epoch; a trial that has ended stays as it is.

        Raises:
            LeaseLost: somebody else has the job, or it is over.
        """
        with self.database.write() as session:
            job = leases.fenced(session, JobRow, lease)
            row = _row(session, lease.id, metrics.trial)
            if row.state != TrialState.RUNNING:
                return
            row.progress = metrics.model_dump(mode="json", exclude={"trial"})
            reached, trial = dict(job.reached or {}), str(metrics.trial)
            if metrics.epoch > reached.get(trial, 0):  # or an attempt that goes on repeats it
                job.reached = reached | {trial: metrics.epoch}
                job.crashes = 0
                told = metrics.model_dump(mode="json")
                tell(session, job, EPOCH, told, trial=metrics.trial)

    def record(self, lease: Lease, result: TrialResult) -> bool:
        """Keep what a trial came to, its architecture and the job's count, all at once.

        Returns:
            Whether it is news: a second report of the same trial changes nothing.

        Raises:
            LeaseLost: somebody else has the job, or it is over.
        """
        with self.database.write() as session:
            job = leases.fenced(session, JobRow, lease)
            row = _row(session, lease.id, result.number)
            if row.result is not None:
                return False
            if result.architecture is not None:
                row.architecture_id = _keep(session, lease.id, result.architecture)
            _fill(row, result)
            row.finished_at = session.scalar(select(now_ms()))
            job.trials_done += 1
            job.crashes = 0
            job.reached = {n: e for n, e in (job.reached or {}).items() if n != str(row.number)}
            tell(session, job, TRIAL, _ending(row, job))
            return True

    def finished(self, job_id: str) -> list[TrialResult]:
        """What the trials that have ended came to, by number."""
        query = (
            select(TrialRow)
            .where(TrialRow.job_id == job_id, TrialRow.result.is_not(None))
            .order_by(TrialRow.number)
        )
        with self.database.read() as session:
            return [TrialResult.model_validate(row.result) for row in session.scalars(query)]

    def page(self, job_id: str, limit: int, after: int = -1) -> list[Trial]:
        """The first `limit` trials whose number is larger than `after`."""
        query = (
            select(TrialRow)
            .where(TrialRow.job_id == job_id, TrialRow.number > after)
            .order_by(TrialRow.number)
            .limit(limit)
        )
        with self.database.read() as session:
            return [_trial(row) for row in session.scalars(query)]

    def architecture(
        self, architecture_id: str, owner: str | None = None
    ) -> StoredArchitecture | None:
        """The architecture of that id, of a job of `owner` where one is named, with its trial."""
        query = (
            select(ArchitectureRow, TrialRow.result)
            .join(TrialRow, TrialRow.architecture_id == ArchitectureRow.id)
            .where(ArchitectureRow.id == architecture_id)
        )
        if owner is not None:
            query = query.join(JobRow, ArchitectureRow.job_id == JobRow.id)
            query = query.where(JobRow.owner == owner)
        with self.database.read() as session:
            found = session.execute(query).one_or_none() if is_id(architecture_id) else None
            return _architecture(*found) if found else None

    def results(self, architecture_ids: Sequence[str]) -> dict[str, TrialResult]:
        """What the trials came to that found the architectures of these ids."""
        query = select(TrialRow.architecture_id, TrialRow.result).where(
            TrialRow.architecture_id.in_(architecture_ids), TrialRow.result.is_not(None)
        )
        with self.database.read() as session:
            rows = session.execute(query)
            found = {str(key): TrialResult.model_validate(result) for key, result in rows}
            return found

    def running(self, job_id: str) -> list[int]:
        """The numbers of the trials that have not ended, the latest first."""
        query = select(TrialRow.number).where(
            TrialRow.job_id == job_id, TrialRow.state == TrialState.RUNNING
        )  # in no order: for one, all trials of the job would be gone through
        with self.database.read() as session:
            return sorted(session.scalars(query), reverse=True)

    def lately(self, job_ids: Sequence[str], most: int) -> dict[str, list[Lately]]:
        """Of each job the last `most` trials or so that have ended, and those that run."""
        query = (
            select(
                TrialRow.job_id,
                TrialRow.state,
                TrialRow.result["seconds"].as_float(),
                TrialRow.progress,
            )
            .join(JobRow, JobRow.id == TrialRow.job_id)
            .where(JobRow.id.in_(job_ids), TrialRow.number >= JobRow.trials_done - most)
        )
        found: dict[str, list[Lately]] = {job_id: [] for job_id in job_ids}
        with self.database.read() as session:
            for job_id, *facts in session.execute(query):
                found[job_id].append(Lately(*facts))
        return found


def _row(session: Session, job_id: str, number: int) -> TrialRow:
    """The trial's row, begun now if there is none; the job's lock makes this safe."""
    query = select(TrialRow).where(TrialRow.job_id == job_id, TrialRow.number == number)
    row = session.scalar(query)
    if row is None:
        row = TrialRow(id=new_id(), job_id=job_id, number=number, state=TrialState.RUNNING)
        session.add(row)
        session.flush()
    return row


def _keep(session: Session, job_id: str, architecture: Architecture) -> str:
    row = ArchitectureRow(id=new_id(), job_id=job_id, document=architecture.model_dump(mode="json"))
    session.add(row)
    session.flush()
    return row.id


def _fill(row: TrialRow, result: TrialResult) -> None:
    row.state = result.state
    row.lam = result.lam
    row.resizer = result.resizer
    row.val_accuracy = result.val_accuracy
    row.test_accuracy = result.test_accuracy
    row.macs = result.macs
    row.latency_ms = result.latency_ms
    row.result = result.model_dump(mode="json")


def _ending(row: TrialRow, job: JobRow) -> Json:
    """What the event of a trial's end says."""
    return {
        "number": row.number,
        "state": row.state,
        "resizer": row.resizer,
        "lam": row.lam,
        "val_accuracy": row.val_accuracy,
        "test_accuracy": row.test_accuracy,
        "gmacs": None if row.macs is None else row.macs / 1e9,
        "architecture_id": row.architecture_id,
        "trials_done": job.trials_done,
    }


def _trial(row: TrialRow) -> Trial:
    return Trial(
        id=row.id,
        job_id=row.job_id,
        number=row.number,
        state=TrialState(row.state),
        result=TrialResult.model_validate(row.result) if row.result else None,
        progress=row.progress,
        architecture_id=row.architecture_id,
        started_at=moment(row.started_at),
        finished_at=moment(row.finished_at),
    )


def _architecture(row: ArchitectureRow, result: object) -> StoredArchitecture:
    return StoredArchitecture(
        id=row.id,
        job_id=row.job_id,
        architecture=Architecture.model_validate(row.document),
        result=TrialResult.model_validate(result),
        created_at=moment(row.created_at),
    )
