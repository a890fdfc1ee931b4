"""The Pareto front of a job, computed from its completed trials when somebody asks.

The database thins the trials, `resnas.pareto` decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from resnas import pareto
from resnas.results import TrialResult
from service.known import Known
from service.store.points import Bounds
from service.store.repository import Repository
from service.store.values import Job, Point

MOST_DOMINATED = 2000
"""So many dominated trials at most are listed; of more, one in each cell of a grid."""
_CELLS = 44
"""Cells of that grid along each axis: their number is just below that."""
_FRESH = 1.02
"""A picture of the dominated ones is drawn anew when so many times as many trials are there."""
_pictures: Known[tuple[int, list[Point]]] = Known(32)


@dataclass(frozen=True)
class Candidate:
    """A completed trial and whether another one beats it in both accuracy and cost."""

    point: Point
    dominated: bool


@dataclass(frozen=True)
class Front:
    """What a front query answers.

    Attributes:
        candidates: by GMACs, after all filters; `best` is one of them, also where another one,
            which is not as quick as the job asks, dominates it.
        best: the most accurate on the front within the budget.
        knee: where the front bends most.
        hypervolume: of the whole front, over `reference` (accuracy, GMACs).
        total: completed trials that pass the filters, dominated ones as well; None: not counted.
        thinned: whether dominated ones were asked for and are too many to be listed, all of them.
    """

    candidates: tuple[Candidate, ...]
    best: Point | None
    knee: Point | None
    hypervolume: float
    reference: tuple[float, float]
    total: int | None
    thinned: bool = False


def front(
    repository: Repository,
    job: Job,
    *,
    max_gmacs: float | None,
    min_accuracy: float | None,
    include_dominated: bool,
) -> Front:
    """The front of `job`.

    Args:
        repository: where its trials are.
        job: whose trials.
        max_gmacs: cost of a point at most; where it is below the job's budget, `best` obeys it.
        min_accuracy: validation accuracy of a point at least.
        include_dominated: whether points that are beaten by others are listed, too: all, or so
            many as a picture of them takes.
    """
    bounds = Bounds(max_gmacs, min_accuracy)
    whole = repository.points.efficient([job.id])
    shown = [point for point in whole if bounds.admit(point)]
    total = repository.points.count(job.id, bounds)
    thinned = include_dominated and total > MOST_DOMINATED + len(shown)
    if thinned:
        listed = shown + _some_dominated(repository, job.id, bounds, shown, total)
    else:
        listed = repository.points.within(job.id, bounds) if include_dominated else shown
    budget = min(job.budget_gmacs, float("inf") if max_gmacs is None else max_gmacs)
    in_time = [point for point in _in_time(repository, job, whole) if bounds.admit(point)]
    best = best_under(in_time, budget)
    if best is not None and best not in listed:  # a slower one beats it
        listed = [*listed, best]
    reference = (0.0, float(job.estimate["max_gmacs"]))
    return Front(
        candidates=_candidates(listed),
        best=best,
        knee=_knee(shown),
        hypervolume=pareto.hypervolume(_coordinates(whole), reference),
        reference=reference,
        total=total,
        thinned=thinned,
    )


def across(
    repository: Repository,
    *,
    owner: str | None,
    backbone: str | None,
    dataset: str | None,
    max_gmacs: float | None = None,
    min_accuracy: float | None = None,
) -> Front:
    """The front of several jobs together: of trials that none of any of these jobs beats.

    Its hypervolume is measured up to its own dearest point, `best` is the most accurate of all.

    Args:
        repository: where their trials are.
        owner: whose jobs; None: everybody's.
        backbone: that they ask for; None: whichever.
        dataset: that they ask for; None: whichever.
        max_gmacs: cost of a point at most.
        min_accuracy: validation accuracy of a point at least.
    """
    bounds = Bounds(max_gmacs, min_accuracy)
    whole = repository.points.efficient_across(owner, backbone, dataset)
    shown = [point for point in whole if bounds.admit(point)]
    reference = (0.0, max((point.gmacs for point in whole), default=0.0))
    return Front(
        candidates=_candidates(shown),
        best=best_under(shown, float("inf")),
        knee=_knee(shown),
        hypervolume=pareto.hypervolume(_coordinates(whole), reference),
        reference=reference,
        total=None,
    )


def results(repository: Repository, front: Front) -> dict[str, TrialResult]:
    """What the trials of a front came to, by architecture."""
    points = [candidate.point for candidate in front.candidates]
    points += [point for point in (front.best, front.knee) if point is not None]
    return repository.trials.results([point.architecture_id for point in points])


def best_under(points: Sequence[Point], budget: float) -> Point | None:
    """The most accurate point that costs at most `budget` GMACs."""
    index = pareto.best_under(_coordinates(points), budget)
    return None if index is None else points[index]


def best_of_jobs(repository: Repository, jobs: Sequence[Job]) -> dict[str, Point]:
    """For each job's id the most accurate point within its own budgets, where there is one.

    Takes one query, and one more for each budget in milliseconds that is among them.
    """
    found: dict[str, list[Point]] = {job.id: [] for job in jobs}
    limits = {job.id: _budget_ms(job) for job in jobs}
    for max_ms in set(limits.values()):
        ids = [job_id for job_id, limit in limits.items() if limit == max_ms]
        for point in repository.points.efficient(ids, max_ms):
            found[point.job_id].append(point)
    bests = {job.id: best_under(found[job.id], job.budget_gmacs) for job in jobs}
    return {job_id: best for job_id, best in bests.items() if best is not None}


def _in_time(repository: Repository, job: Job, whole: Sequence[Point]) -> Sequence[Point]:
    """The front of those that are as quick as `job` asks, which slower ones may beat."""
    max_ms = _budget_ms(job)
    return whole if max_ms is None else repository.points.efficient([job.id], max_ms)


def _budget_ms(job: Job) -> float | None:
    found = job.spec.get("budget_ms")
    return float(found) if isinstance(found, int | float) else None


def _some_dominated(
    repository: Repository, job_id: str, bounds: Bounds, efficient: Sequence[Point], total: int
) -> list[Point]:
    """Of the others than `efficient` one in each cell of accuracy x log GMACs.

    A completed trial stays what it is, so a picture is good until there are many more of them.
    """
    known = _pictures.get((job_id, bounds))
    if known is None or not known[0] <= total <= _FRESH * known[0]:
        known = total, _picture(repository, job_id, bounds)
        _pictures.keep((job_id, bounds), known)
    taken = {(point.macs, point.val_accuracy) for point in efficient}
    return [point for point in known[1] if (point.macs, point.val_accuracy) not in taken]


def _picture(repository: Repository, job_id: str, bounds: Bounds) -> list[Point]:
    extent = repository.points.extent(job_id, bounds)
    if extent is None:
        return []
    corners = repository.points.corners(job_id, bounds, extent, _CELLS)
    found = {point.architecture_id: point for point in repository.points.at(job_id, corners)}
    return list(found.values())


def _candidates(points: Sequence[Point]) -> tuple[Candidate, ...]:
    """All of `points` by GMACs; of equal ones the first by number is the one not dominated."""
    listed = sorted(points, key=lambda point: (point.job_id, point.number))
    chosen = set(pareto.front(_coordinates(listed)))
    found = (Candidate(point, n not in chosen) for n, point in enumerate(listed))
    return tuple(sorted(found, key=lambda c: (c.point.macs, -c.point.val_accuracy)))


def _knee(points: Sequence[Point]) -> Point | None:
    index = pareto.knee(_coordinates(points)) if points else None
    return None if index is None else points[index]


def _coordinates(points: Iterable[Point]) -> list[tuple[float, float]]:
    return [(point.val_accuracy, point.gmacs) for point in points]
