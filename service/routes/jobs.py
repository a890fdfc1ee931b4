"""Jobs: submit, look, cancel; their trials and their front."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response, status
from starlette.convertors import Convertor, register_url_convertor

from resnas.backbones import own_from
from resnas.spec import JobSpec
from service import fronts, jobs
from service.deps import (
    Cursor,
    Limit,
    RepositoryDep,
    SettingsDep,
    decode_cursor,
    encode_cursor,
    page_size,
)
from service.schemas import FrontAnswer, FrontQuery, JobAnswer, Page, TrialAnswer
from service.store.values import State


class _Plain(Convertor[str]):
    """A part of a path without a colon: `x:cancel` is no job, but something done to one."""

    regex = "[^/:]+"

    def convert(self, value: str) -> str:
        """The part as it is."""
        return value

    def to_string(self, value: str) -> str:
        """The part as it is."""
        return value


register_url_convertor("plain", _Plain())
router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


@router.post("", status_code=status.HTTP_202_ACCEPTED)
def submit(
    spec: JobSpec, response: Response, repository: RepositoryDep, settings: SettingsDep
) -> JobAnswer:
    """Hand in a job. It is stored, not necessarily started, when this answers."""
    with own_from(settings.backbones_dir):
        job = jobs.submit(repository, spec, settings.datasets_dir)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return JobAnswer.of(job)


@router.get("")
def list_jobs(
    repository: RepositoryDep,
    state: State | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[JobAnswer]:
    """All jobs, newest first."""
    listing = f"jobs:{state or ''}"
    before = decode_cursor(listing, cursor, str) if cursor else None
    size = page_size(limit)
    found = repository.jobs.page(size + 1, state, before)
    shown = found[:size]
    bests = fronts.best_of_jobs(repository, shown)
    return Page(
        items=[JobAnswer.of(job, bests.get(job.id)) for job in shown],
        next_cursor=encode_cursor(listing, shown[-1].id) if len(found) > size else None,
    )


@router.get("/{job_id:plain}")
def show(job_id: str, repository: RepositoryDep) -> JobAnswer:
    """One job."""
    job = jobs.get(repository, job_id)
    return JobAnswer.of(job, fronts.best_of_jobs(repository, [job]).get(job.id))


@router.post("/{job_id:plain}:cancel")
def cancel(job_id: str, repository: RepositoryDep) -> JobAnswer:
    """Ask for the end of a job: a queued one ends at once, a running one within seconds."""
    job = jobs.cancel(repository, job_id)
    return JobAnswer.of(job, fronts.best_of_jobs(repository, [job]).get(job.id))


@router.get("/{job_id:plain}/trials")
def list_trials(
    job_id: str, repository: RepositoryDep, limit: Limit = 50, cursor: Cursor = None
) -> Page[TrialAnswer]:
    """The trials of a job by number, those that are running included."""
    job = jobs.get(repository, job_id)
    listing = f"trials:{job.id}"
    after = decode_cursor(listing, cursor, int) if cursor else -1
    size = page_size(limit)
    found = repository.trials.page(job.id, size + 1, after)
    shown = found[:size]
    return Page(
        items=[TrialAnswer.of(trial) for trial in shown],
        next_cursor=encode_cursor(listing, shown[-1].number) if len(found) > size else None,
    )


@router.get("/{job_id:plain}/front")
def show_front(
    job_id: str, query: Annotated[FrontQuery, Query()], repository: RepositoryDep
) -> FrontAnswer:
    """The Pareto front of the job's completed trials, cheapest first; chosen on validation."""
    job = jobs.get(repository, job_id)
    front = fronts.front(
        repository,
        job,
        max_gmacs=query.max_gmacs,
        min_accuracy=query.min_accuracy,
        include_dominated=query.include_dominated,
    )
    ids = [candidate.point.architecture_id for candidate in front.candidates]
    sizes = repository.trials.architectures(ids)
    return FrontAnswer.of(front, sizes, counter=str(job.estimate["counter"]))
