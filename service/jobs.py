"""What can be done with jobs and exports; in which state, `service.transitions` says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sqlalchemy.orm import Session

from resnas.catalog import exporters
from resnas.errors import UnknownName
from resnas.spec import JobSpec
from resnas.storage import ArtifactStore
from service import checked
from service.checked import Checked
from service.errors import Conflict, NotFound
from service.principals import FIRST, Principal
from service.store.leases import ENDED
from service.store.repository import Repository
from service.store.values import LOCAL, Export, Job, State, StoredArchitecture
from service.transitions import Event, moves


def check(spec: JobSpec, datasets_dir: Path, asker: Principal = FIRST) -> Checked:
    """What a job that can succeed comes to; `submit` accepts just this.

    Raises:
        UnknownName, DatasetUnavailable, InfeasibleBudget, UnreachableBudget, GraphError: it cannot.
        TooMany: the asker has other questions that are being computed.
    """
    return checked.check(spec, datasets_dir, asker)


def submit(
    repository: Repository,
    prepared: Checked,
    owner: str = LOCAL,
    priority: int = 0,
    also: Callable[[Session, Job], None] | None = None,
) -> Job:
    """Accept a job that was checked; it is durable when this returns."""
    estimate = prepared.estimate.model_dump(mode="json")
    return repository.jobs.add(prepared.spec, estimate, owner, priority, also)


def get(repository: Repository, job_id: str, owner: str | None = None) -> Job:
    """The job of that id; where an owner is named, others' jobs are not there.

    Raises:
        NotFound: there is none.
    """
    job = repository.jobs.get(job_id, owner)
    if job is None:
        raise NotFound.of("job", job_id, "GET /v1/jobs")
    return job


def cancel(repository: Repository, job_id: str, owner: str | None = None) -> Job:
    """Ask for the end of a job; asking twice does no harm.

    Raises:
        NotFound: there is none.
        Conflict: it has succeeded or failed already.
    """
    job = repository.jobs.cancel(job_id, moves(Event.CANCEL), moves(Event.RELEASE), owner)
    if job is None:
        raise NotFound.of("job", job_id, "GET /v1/jobs")
    if job.state not in (State.CANCELLING, State.CANCELLED):
        raise Conflict(f"job {job_id}", f"it has already {job.state}", "There is nothing to cancel")
    return job


def retry(
    repository: Repository,
    job_id: str,
    owner: str | None = None,
    also: Callable[[Session, Job], None] | None = None,
) -> Job:
    """Queue a failed job again, with the trials that it completed; asking twice does no harm.

    Raises:
        NotFound: there is none.
        Conflict: it has not failed.
    """
    job = repository.jobs.retry(job_id, moves(Event.RETRY), owner, also)
    if job is None:
        raise NotFound.of("job", job_id, "GET /v1/jobs")
    if job.state is State.CANCELLING:
        raise Conflict(f"job {job_id}", "it is being cancelled", "Hand in a new job")
    if job.state in ENDED:
        step = "Hand in a new job" if job.state is State.CANCELLED else "There is nothing to retry"
        raise Conflict(f"job {job_id}", f"it has {job.state}", step)
    return job


def architecture(
    repository: Repository, architecture_id: str, owner: str | None = None
) -> StoredArchitecture:
    """The architecture of that id.

    Raises:
        NotFound: there is none.
    """
    found = repository.trials.architecture(architecture_id, owner)
    if found is None:
        raise NotFound.of("architecture", architecture_id, "GET /v1/jobs/{id}/front")
    return found


def ask_export(
    repository: Repository,
    artifacts: ArtifactStore,
    architecture_id: str,
    format: str,
    multiple_of: int = 1,
    owner: str | None = None,
    also: Callable[[Session, Export], None] | None = None,
    may_add: Callable[[], None] | None = None,
) -> Export:
    """Have an architecture written as a file; the same question gets the same export.

    One whose file is gone from `artifacts` is written anew. `may_add` raises where no more must be
    written.

    Raises:
        UnknownName: no such format.
        NotFound: no such architecture.
        Conflict: its weights were not kept.
    """
    if format not in exporters:
        raise UnknownName.among("format", format, exporters.names())
    found = architecture(repository, architecture_id, owner)
    if found.result.weights is None:
        raise Conflict(
            f"architecture {architecture_id}",
            f"its trial ended {found.result.state} and left no weights",
            "Export an architecture of a completed trial",
        )
    return repository.exports.add(
        architecture_id, format, artifacts.holds, multiple_of, also, may_add
    )


def export(repository: Repository, export_id: str, owner: str | None = None) -> Export:
    """The export of that id.

    Raises:
        NotFound: there is none.
    """
    found = repository.exports.get(export_id, owner)
    if found is None:
        raise NotFound.of("export", export_id, "the answer to POST …/exports")
    return found
