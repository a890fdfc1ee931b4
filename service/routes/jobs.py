"""Jobs: submit, look, cancel, try again; their trials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Response, status
from fastapi.responses import JSONResponse

from resnas.spec import JobSpec
from service import fronts, jobs, quotas, remaining
from service.conditional import RevalidationDep
from service.deps import (
    Cursor,
    Limit,
    PrincipalDep,
    RepositoryDep,
    SettingsDep,
    decode_cursor,
    encode_cursor,
    page_size,
)
from service.idempotency import Keep, OnceDep, Reply, forgotten
from service.plans import PlanAnswer
from service.routes._paths import JOB, JobId
from service.schemas import JobAnswer, Page, PointAnswer, TrialAnswer
from service.store.repository import Repository
from service.store.values import Job, State

router = APIRouter(tags=["jobs"])


@router.post(
    "/v1/jobs",
    status_code=status.HTTP_202_ACCEPTED,
    response_model=JobAnswer,
    responses={200: {"model": PlanAnswer, "description": "It could be done; nothing was stored"}},
)
def submit(
    spec: JobSpec,
    once: OnceDep,
    repository: RepositoryDep,
    settings: SettingsDep,
    principal: PrincipalDep,
    validate_only: Annotated[
        bool, Query(description="only tell what it would come to, and store nothing")
    ] = False,
    priority: Annotated[
        int, Query(ge=-100, le=100, description="of your own jobs, the highest runs first")
    ] = 0,
) -> Response:
    """Hand in a job. It is stored, not necessarily started, when this answers."""
    from resnas.backbones import own_from

    def hand_in(keep: Keep) -> Reply:
        with own_from(settings.backbones_dir):
            prepared = jobs.check(spec, settings.datasets_dir, principal)
        quotas.check_job(settings, principal, prepared)
        if validate_only:
            return Reply(status.HTTP_200_OK, PlanAnswer.of(prepared))
        quotas.check_queue(settings, principal, repository)
        quotas.check_stored(settings, principal, repository)
        trials, params = prepared.spec.trials or 1, prepared.estimate.params
        quotas.check_weights(settings, principal, repository, trials, params)
        also = keep(_accepted)
        return _accepted(jobs.submit(repository, prepared, principal.owner, priority, also))

    if validate_only:  # it does nothing, so it may be asked as often as one likes
        return JSONResponse(hand_in(forgotten).body.model_dump(mode="json"))
    asked = {"spec": spec.model_dump(mode="json"), "priority": priority}
    return once.respond(asked, hand_in)


@router.get("/v1/jobs")
def list_jobs(
    repository: RepositoryDep,
    principal: PrincipalDep,
    state: State | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[JobAnswer]:
    """Your jobs, newest first; an administrator's list has everybody's."""
    listing = f"jobs:{state or ''}"
    before = decode_cursor(listing, cursor, str) if cursor else None
    size = page_size(limit)
    found = repository.jobs.page(size + 1, state, before, principal.sees)
    shown = found[:size]
    return Page(
        items=_answers(repository, shown),
        next_cursor=encode_cursor(listing, shown[-1].id) if len(found) > size else None,
    )


@router.get(JOB)
def show_job(
    job_id: JobId, repository: RepositoryDep, principal: PrincipalDep, version: RevalidationDep
) -> JobAnswer:
    """One job."""
    job = jobs.get(repository, job_id, principal.sees)
    answer = _shown(repository, job)
    # An attempt that goes on repeats epochs, which is no event but changes the time left.
    version.tag(answer.model_dump_json())
    return answer


@router.post(JOB + ":cancel")
def cancel_job(job_id: JobId, repository: RepositoryDep, principal: PrincipalDep) -> JobAnswer:
    """Ask for the end of a job: a queued one ends at once, a running one within seconds."""
    return _shown(repository, jobs.cancel(repository, job_id, principal.sees))


@router.post(JOB + ":retry", response_model=JobAnswer)
def retry_job(
    job_id: JobId,
    once: OnceDep,
    repository: RepositoryDep,
    settings: SettingsDep,
    principal: PrincipalDep,
) -> Response:
    """Queue a failed job once more; the trials that it completed are kept."""

    def try_again(keep: Keep) -> Reply:
        before = jobs.get(repository, job_id, principal.sees)
        if before.state is State.FAILED:
            quotas.check_queue(settings, principal, repository)
            trials = before.trials_total - before.trials_done
            params = before.estimate.get("params", 0)
            quotas.check_weights(settings, principal, repository, trials, params)
        shown = _shown(repository, before)  # what it has reached is kept

        def queued(job: Job) -> Reply:
            return Reply(status.HTTP_200_OK, JobAnswer.of(job, shown.best, shown.seconds_left))

        return queued(jobs.retry(repository, job_id, principal.sees, keep(queued)))

    return once.respond(None, try_again)


@router.get(JOB + "/trials")
def list_trials(
    job_id: JobId,
    repository: RepositoryDep,
    principal: PrincipalDep,
    version: RevalidationDep,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[TrialAnswer]:
    """The trials of a job by number, those that are running included."""
    job = jobs.get(repository, job_id, principal.sees)
    listing = f"trials:{job.id}"
    after = decode_cursor(listing, cursor, int) if cursor else -1
    size = page_size(limit)
    found = repository.trials.page(job.id, size + 1, after)
    shown = found[:size]
    page = Page[TrialAnswer](
        items=[TrialAnswer.of(trial) for trial in shown],
        next_cursor=encode_cursor(listing, shown[-1].number) if len(found) > size else None,
    )
    # An attempt that goes on repeats epochs, which is no event but seen here.
    version.tag(page.model_dump_json())
    return page


def _accepted(job: Job) -> Reply:
    headers = {"Location": f"/v1/jobs/{job.id}"}
    return Reply(status.HTTP_202_ACCEPTED, JobAnswer.of(job), headers)


def _shown(repository: Repository, job: Job) -> JobAnswer:
    (answer,) = _answers(repository, [job])
    return answer


def _answers(repository: Repository, shown: Sequence[Job]) -> list[JobAnswer]:
    """The answers for these jobs; takes as many queries for a page of them as for one."""
    points = fronts.best_of_jobs(repository, shown)
    results = repository.trials.results([point.architecture_id for point in points.values()])
    bests = {
        job_id: PointAnswer.of(point, results.get(point.architecture_id))
        for job_id, point in points.items()
    }
    left = remaining.seconds_left(repository, shown)
    return [JobAnswer.of(job, bests.get(job.id), left.get(job.id)) for job in shown]
