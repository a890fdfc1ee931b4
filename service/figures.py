"""What the store holds, as figures of `resnas.plots`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from resnas import plots
from resnas.plots import Mark
from resnas.profiles import Profile
from resnas.results import EpochMetrics, Size, TrialResult
from service import fronts
from service.fronts import Candidate, Front
from service.store.repository import Repository
from service.store.values import Job, Json, Point, StoredArchitecture

MOST_TRIALS = 12
"""Curves in one figure: of more, none is found again."""
_RUNNING = 8
"""Of these so many are of running trials at most, where nobody says which are wanted."""
_BEST = 4
MOST_EPOCHS = 400
"""Points of one curve: a screen has no room for more."""
_WITH_SIZES = 200
"""Dominated points whose cards tell sizes: those of more would be most of what is sent."""
_SIGNS = 6

Figure = Json
"""A figure as plotly reads it: `data` and `layout`."""


def front(repository: Repository, job: Job, found: Front) -> Figure:
    """The front of a job, with its budget and its human cost."""
    return drawn(
        plots.front(
            _marks(found, fronts.results(repository, found)),
            budget_gmacs=job.budget_gmacs or None,
            human_gmacs=_human(job),
            best=found.best.architecture_id if found.best else None,
            knee=found.knee.architecture_id if found.knee else None,
            title="",
        )
    )


def several(repository: Repository, jobs: Sequence[Job]) -> Figure:
    """The fronts of jobs over one another, and the budget and human cost that all of them share."""
    found: dict[str, list[Point]] = {job.id: [] for job in jobs}
    for point in repository.points.efficient(list(found)):
        found[point.job_id].append(point)
    ids = [point.architecture_id for points in found.values() for point in points]
    results = repository.trials.results(ids)
    marks = {
        _label(job): [_mark(p, results.get(p.architecture_id), job=job.id) for p in found[job.id]]
        for job in jobs
    }
    return drawn(
        plots.fronts(
            marks,
            budget_gmacs=_shared([job.budget_gmacs or None for job in jobs]),
            human_gmacs=_shared([_human(job) for job in jobs]),
            title="",
        )
    )


def curves(repository: Repository, job: Job, asked: Sequence[int]) -> Figure:
    """How trials of a job learn.

    Args:
        repository: where their epochs are.
        job: whose trials.
        asked: their numbers; none: those that run, and the best ones.
    """
    efficient = repository.points.efficient([job.id])
    numbers = list(asked) or _worth_watching(repository, job, efficient)
    told = repository.events.epochs(job.id, numbers, MOST_EPOCHS) if numbers else []
    chosen = {point.number for point in efficient}.intersection(numbers)
    return drawn(plots.curves(_latest(told), chosen, title=""))


def ladder(profile: Profile) -> Figure:
    """Every feature map of an architecture."""
    return drawn(plots.shape_ladder(profile, title=""))


def layers(profile: Profile) -> Figure:
    """What each of its layers costs."""
    return drawn(plots.layer_costs(profile))


def ladders(a: tuple[StoredArchitecture, Profile], b: tuple[StoredArchitecture, Profile]) -> Figure:
    """The feature maps of two architectures."""
    labels = _told("A", a[0].result), _told("B", b[0].result)
    return drawn(plots.ladders(a[1], b[1], labels, title=""))


def drawn(figure: Any) -> Figure:
    """A plotly figure as plain values, without the template, which the page has of its own."""
    found = figure.to_plotly_json()
    found["layout"].pop("template", None)
    return {"data": found["data"], "layout": found["layout"]}


def _marks(found: Front, results: dict[str, TrialResult]) -> list[Mark]:
    few = sum(candidate.dominated for candidate in found.candidates) <= _WITH_SIZES

    def mark(candidate: Candidate) -> Mark:
        result = results.get(candidate.point.architecture_id)
        dominated = candidate.dominated
        return _mark(candidate.point, result, dominated=dominated, sized=few or not dominated)

    return [mark(candidate) for candidate in found.candidates]


def _mark(
    point: Point,
    result: TrialResult | None,
    *,
    dominated: bool = False,
    sized: bool = True,
    job: str | None = None,
) -> Mark:
    return Mark(
        id=point.architecture_id,
        gmacs=point.gmacs,
        val_accuracy=point.val_accuracy,
        spread=result.spread if result else None,
        test_accuracy=point.test_accuracy,
        trial=point.number,
        resizer=point.resizer,
        aim=result.aim if result else None,
        lam=point.lam,
        seed=result.seed if result else None,
        sizes=_sizes(result) if sized else None,
        dominated=dominated,
        job=job,
    )


def _sizes(result: TrialResult | None) -> dict[str, Size] | None:
    return result.architecture.sizes if result and result.architecture else None


def _worth_watching(repository: Repository, job: Job, efficient: Sequence[Point]) -> list[int]:
    """The trials that run, and of the front the most accurate, first of all within the budget."""
    best = fronts.best_under(efficient, job.budget_gmacs)
    order = sorted(efficient, key=lambda point: (point is not best, -point.val_accuracy))
    running = repository.trials.running(job.id)[:_RUNNING]
    return list(dict.fromkeys([*running, *(point.number for point in order[:_BEST])]))


def _latest(told: Sequence[Json]) -> list[EpochMetrics]:
    """The epochs of each trial once: where it began anew, what it had come to before is left out.

    So is what no training reports: a figure has no place for it.
    """
    kept: dict[int, list[EpochMetrics]] = {}
    for data in told:
        try:
            epoch = EpochMetrics.model_validate(data)
        except ValueError:
            continue
        own = kept.setdefault(epoch.trial, [])
        while own and own[-1].epoch >= epoch.epoch:
            own.pop()
        own.append(epoch)
    return [epoch for own in kept.values() for epoch in own]


def _human(job: Job) -> float | None:
    found = job.estimate.get("human_gmacs")
    return float(found) if isinstance(found, int | float) else None


def _shared(values: Sequence[float | None]) -> float | None:
    """The value, where it is one and the same."""
    return values[0] if len(set(values)) == 1 else None


def _label(job: Job) -> str:
    asked = " on ".join(str(job.spec.get(name, "?")) for name in ("backbone", "dataset"))
    return f"{asked} …{job.id[-_SIGNS:]}"


def _told(letter: str, result: TrialResult) -> str:
    accuracy = "" if result.val_accuracy is None else f", {result.val_accuracy:.2%}"
    cost = "" if result.gmacs is None else f", {result.gmacs:.4g} GMACs"
    return f"{letter}: trial {result.number}{accuracy}{cost}"
