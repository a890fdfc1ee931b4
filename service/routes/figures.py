"""Figures as plotly reads them: what the page draws, and whoever else wants to."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from resnas.profiles import Profile
from service import checked, figures, fronts, jobs
from service.conditional import RevalidationDep
from service.deps import PrincipalDep, RepositoryDep, SettingsDep
from service.front_schemas import FigureAnswer, FrontQuery
from service.principals import Principal
from service.routes._paths import ID, JOB, ArchitectureId, JobId
from service.settings import Settings
from service.store.values import StoredArchitecture

router = APIRouter(tags=["figures"])

Trials = Annotated[
    list[Annotated[int, Query(ge=0, lt=2**31)]],
    Query(
        max_length=figures.MOST_TRIALS,
        description="numbers of trials; none: those that run, and the best ones",
    ),
]
JobIds = Annotated[
    list[Annotated[str, Query(json_schema_extra=ID)]],
    Query(min_length=1, max_length=8, description="of jobs"),
]
One = Annotated[str, Query(description="of an architecture", json_schema_extra=ID)]


@router.get(JOB + "/figures/front")
def draw_front(
    job_id: JobId,
    query: Annotated[FrontQuery, Query()],
    repository: RepositoryDep,
    principal: PrincipalDep,
    version: RevalidationDep,
) -> FigureAnswer:
    """The Pareto front of a job; `customdata` of a point is the id of its architecture."""
    job = jobs.get(repository, job_id, principal.sees)
    version.tag("front", job.id, job.events, job.state, query)
    front = fronts.front(
        repository,
        job,
        max_gmacs=query.max_gmacs,
        min_accuracy=query.min_accuracy,
        include_dominated=query.include_dominated,
    )
    return FigureAnswer.of(figures.front(repository, job, front))


@router.get(JOB + "/figures/curves")
def draw_curves(
    job_id: JobId,
    repository: RepositoryDep,
    principal: PrincipalDep,
    version: RevalidationDep,
    trial: Trials = [],  # noqa: B006 - FastAPI copies it
) -> FigureAnswer:
    """Loss, accuracy, GMACs and strides of trials, epoch by epoch."""
    job = jobs.get(repository, job_id, principal.sees)
    version.tag("curves", job.id, job.events, job.state, trial)
    return FigureAnswer.of(figures.curves(repository, job, trial))


@router.get("/v1/figures/fronts")
def draw_fronts(
    job: JobIds, repository: RepositoryDep, principal: PrincipalDep, version: RevalidationDep
) -> FigureAnswer:
    """The fronts of several jobs over one another."""
    found = [jobs.get(repository, job_id, principal.sees) for job_id in dict.fromkeys(job)]
    version.tag("fronts", *((each.id, each.events, each.state) for each in found))
    return FigureAnswer.of(figures.several(repository, found))


@router.get("/v1/figures/ladders")
def draw_ladders(
    a: One,
    b: One,
    repository: RepositoryDep,
    settings: SettingsDep,
    principal: PrincipalDep,
    version: RevalidationDep,
) -> FigureAnswer:
    """The feature maps of two architectures, on one scale."""
    both = [jobs.architecture(repository, each, principal.sees) for each in (a, b)]
    version.tag("ladders", a, b)
    first, second = ((found, _profile(found, settings, principal)) for found in both)
    return FigureAnswer.of(figures.ladders(first, second))


@router.get("/v1/architectures/{architecture_id}/figures/ladder")
def draw_ladder(
    architecture_id: ArchitectureId,
    repository: RepositoryDep,
    settings: SettingsDep,
    principal: PrincipalDep,
    version: RevalidationDep,
) -> FigureAnswer:
    """Every feature map as a rectangle, to scale, the human one in outline."""
    found = jobs.architecture(repository, architecture_id, principal.sees)
    version.tag("ladder", found.id)
    return FigureAnswer.of(figures.ladder(_profile(found, settings, principal)))


@router.get("/v1/architectures/{architecture_id}/figures/layers")
def draw_layers(
    architecture_id: ArchitectureId,
    repository: RepositoryDep,
    settings: SettingsDep,
    principal: PrincipalDep,
    version: RevalidationDep,
) -> FigureAnswer:
    """GMACs layer by layer, beside those of the backbone."""
    found = jobs.architecture(repository, architecture_id, principal.sees)
    version.tag("layers", found.id)
    return FigureAnswer.of(figures.layers(_profile(found, settings, principal)))


@router.get("/v1/architectures/{architecture_id}/profile")
def show_profile(
    architecture_id: ArchitectureId,
    repository: RepositoryDep,
    settings: SettingsDep,
    principal: PrincipalDep,
    version: RevalidationDep,
) -> Profile:
    """An architecture layer by layer: sizes, channels and costs, beside its backbone's."""
    found = jobs.architecture(repository, architecture_id, principal.sees)
    version.tag("profile", found.id)
    return _profile(found, settings, principal)


def _profile(found: StoredArchitecture, settings: Settings, principal: Principal) -> Profile:
    from resnas.backbones import own_from

    with own_from(settings.backbones_dir):
        return checked.profile(found.architecture, principal)
