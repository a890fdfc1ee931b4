"""Pareto fronts: of one job, and of all that is yours."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from resnas.catalog import costs
from service import fronts, jobs
from service.conditional import RevalidationDep
from service.deps import PrincipalDep, RepositoryDep
from service.front_schemas import AcrossQuery, FrontAnswer, FrontQuery
from service.routes._paths import JOB, JobId
from service.store.repository import Repository

router = APIRouter(tags=["fronts"])


@router.get(JOB + "/front")
def show_front(
    job_id: JobId,
    query: Annotated[FrontQuery, Query()],
    repository: RepositoryDep,
    principal: PrincipalDep,
    version: RevalidationDep,
) -> FrontAnswer:
    """The Pareto front of the job's completed trials, cheapest first; chosen on validation."""
    job = jobs.get(repository, job_id, principal.sees)
    version.tag(job.id, job.events, job.state, query)
    front = fronts.front(
        repository,
        job,
        max_gmacs=query.max_gmacs,
        min_accuracy=query.min_accuracy,
        include_dominated=query.include_dominated,
    )
    return _answer(repository, front, str(job.estimate.get("counter", "")))


@router.get("/v1/front")
def show_front_across(
    query: Annotated[AcrossQuery, Query()],
    repository: RepositoryDep,
    principal: PrincipalDep,
    version: RevalidationDep,
) -> FrontAnswer:
    """The Pareto front of the completed trials of several jobs, of all of yours by default."""
    front = fronts.across(
        repository,
        owner=principal.sees,
        backbone=query.backbone,
        dataset=query.dataset,
        max_gmacs=query.max_gmacs,
        min_accuracy=query.min_accuracy,
    )
    answer = _answer(repository, front, costs["macs"].counter)
    version.tag(answer.model_dump_json())
    return answer


def _answer(repository: Repository, front: fronts.Front, counter: str) -> FrontAnswer:
    return FrontAnswer.of(front, fronts.results(repository, front), counter=counter)
