"""The Pareto front of a job, computed from its completed trials when somebody asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from resnas import pareto
from service.store.repository import Repository
from service.store.values import Job, Point


@dataclass(frozen=True)
class Candidate:
    """A completed trial and whether another one beats it in both accuracy and cost."""

    point: Point
    dominated: bool


@dataclass(frozen=True)
class Front:
    """What a front query answers.

    Attributes:
        candidates: by GMACs, after all filters.
        best: the most accurate on the front within the budget.
        knee: where the front bends most.
        hypervolume: of the whole front, over `reference` (accuracy, GMACs).
    """

    candidates: tuple[Candidate, ...]
    best: Point | None
    knee: Point | None
    hypervolume: float
    reference: tuple[float, float]


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
        include_dominated: whether points that are beaten by others are listed, too.
    """
    points = repository.trials.points([job.id])
    chosen = set(pareto.front(_coordinates(points)))
    candidates = (Candidate(p, n not in chosen) for n, p in enumerate(points))
    listed = tuple(
        candidate
        for candidate in sorted(candidates, key=lambda c: (c.point.macs, -c.point.val_accuracy))
        if (include_dominated or not candidate.dominated)
        and (max_gmacs is None or candidate.point.gmacs <= max_gmacs)
        and (min_accuracy is None or candidate.point.val_accuracy >= min_accuracy)
    )
    budget = min(job.budget_gmacs, float("inf") if max_gmacs is None else max_gmacs)
    efficient = [candidate.point for candidate in listed if not candidate.dominated]
    reference = (0.0, float(job.estimate["max_gmacs"]))
    return Front(
        candidates=listed,
        best=best_under(efficient, budget),
        knee=_knee(efficient),
        hypervolume=pareto.hypervolume(_coordinates(points), reference),
        reference=reference,
    )


def best_under(points: Sequence[Point], budget: float) -> Point | None:
    """The most accurate point that costs at most `budget` GMACs."""
    index = pareto.best_under(_coordinates(points), budget)
    return None if index is None else points[index]


def best_of_jobs(repository: Repository, jobs: Sequence[Job]) -> dict[str, Point]:
    """For each job's id the most accurate point within its own budget, where there is one."""
    found: dict[str, list[Point]] = {job.id: [] for job in jobs}
    for point in repository.trials.points(list(found)):
        found[point.job_id].append(point)
    bests = {job.id: best_under(found[job.id], job.budget_gmacs) for job in jobs}
    return {job_id: best for job_id, best in bests.items() if best is not None}


def _knee(points: Sequence[Point]) -> Point | None:
    index = pareto.knee(_coordinates(points)) if points else None
    return None if index is None else points[index]


def _coordinates(points: Sequence[Point]) -> list[tuple[float, float]]:
    return [(point.val_accuracy, point.gmacs) for point in points]
