"""What can be done with jobs and exports, and in which state: one table."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from resnas.catalog import exporters
from resnas.errors import ResnasError, UnknownName
from resnas.planning import prepare
from resnas.spec import JobSpec
from resnas.storage import ArtifactStore
from service.errors import Conflict, NotFound
from service.store.leases import Moves
from service.store.repository import Repository
from service.store.values import Export, Job, State, StoredArchitecture


class Event(StrEnum):
    """What happens to a job."""

    CLAIM = "claim"  # a worker takes it
    CANCEL = "cancel"  # a user wants its end
    SUCCEED = "succeed"  # it came to a result
    FAIL = "fail"  # it came to an error, or used up its attempts
    RELEASE = "release"  # nobody works on it any more, and it is not over


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.QUEUED, Event.CLAIM): State.RUNNING,
    (State.QUEUED, Event.CANCEL): State.CANCELLED,
    (State.RUNNING, Event.CANCEL): State.CANCELLING,
    (State.RUNNING, Event.SUCCEED): State.SUCCEEDED,
    (State.RUNNING, Event.FAIL): State.FAILED,
    (State.RUNNING, Event.RELEASE): State.QUEUED,
    (State.CANCELLING, Event.CANCEL): State.CANCELLING,
    (State.CANCELLING, Event.SUCCEED): State.CANCELLED,
    (State.CANCELLING, Event.FAIL): State.CANCELLED,
    (State.CANCELLING, Event.RELEASE): State.CANCELLED,
    (State.CANCELLED, Event.CANCEL): State.CANCELLED,
}
"""Every allowed step; what is not here cannot happen."""


def moves(event: Event) -> Moves:
    """The steps of one event: from which state to which."""
    return {state: new for (state, happening), new in TRANSITIONS.items() if happening is event}


def submit(repository: Repository, spec: JobSpec, datasets_dir: Path) -> Job:
    """Accept a job that can succeed; it is durable when this returns.

    Raises:
        UnknownName, DatasetUnavailable, InfeasibleBudget, UnreachableBudget, GraphError: it cannot.
    """
    job = prepare(spec, datasets_dir)
    return repository.jobs.add(job.spec, job.estimate.model_dump(mode="json"))


def get(repository: Repository, job_id: str) -> Job:
    """The job of that id.

    Raises:
        NotFound: there is none.
    """
    job = repository.jobs.get(job_id)
    if job is None:
        raise NotFound.of("job", job_id, "GET /v1/jobs")
    return job


def cancel(repository: Repository, job_id: str) -> Job:
    """Ask for the end of a job; asking twice does no harm.

    Raises:
        NotFound: there is none.
        Conflict: it has succeeded or failed already.
    """
    job = repository.jobs.cancel(job_id, moves(Event.CANCEL), moves(Event.RELEASE))
    if job is None:
        raise NotFound.of("job", job_id, "GET /v1/jobs")
    if job.state not in (State.CANCELLING, State.CANCELLED):
        raise Conflict(f"job {job_id}", f"it has already {job.state}", "There is nothing to cancel")
    return job


def architecture(repository: Repository, architecture_id: str) -> StoredArchitecture:
    """The architecture of that id.

    Raises:
        NotFound: there is none.
    """
    found = repository.trials.architecture(architecture_id)
    if found is None:
        raise NotFound.of("architecture", architecture_id, "GET /v1/jobs/{id}/front")
    return found


def ask_export(
    repository: Repository,
    artifacts: ArtifactStore,
    architecture_id: str,
    format: str,
    multiple_of: int = 1,
) -> Export:
    """Have an architecture written as a file; the same question gets the same export.

    One whose file is gone from `artifacts` is written anew.

    Raises:
        UnknownName: no such format.
        NotFound: no such architecture.
        Conflict: its weights were not kept.
    """
    if format not in exporters:
        raise UnknownName.among("format", format, exporters.names())
    found = architecture(repository, architecture_id)
    if found.result.weights is None:
        raise Conflict(
            f"architecture {architecture_id}",
            f"its trial ended {found.result.state} and left no weights",
            "Export an architecture of a completed trial",
        )
    return repository.exports.add(
        architecture_id, format, lambda digest: _is_kept(artifacts, digest), multiple_of
    )


def _is_kept(artifacts: ArtifactStore, digest: str) -> bool:
    try:
        return artifacts.path(digest).is_file()
    except ResnasError:
        return False


def export(repository: Repository, export_id: str) -> Export:
    """The export of that id.

    Raises:
        NotFound: there is none.
    """
    found = repository.exports.get(export_id)
    if found is None:
        raise NotFound.of("export", export_id, "the answer to POST …/exports")
    return found
