"""Jobs, trials and fronts as a person reads them at a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.text import Text

from service import drawing
from service.answers import Front, FrontPoint, Job, Trial
from service.console import (
    achieved,
    glyphs,
    gmacs,
    pixels,
    share,
    shortened,
    show_drawing,
    show_rows,
    span,
    stdout,
)

_BESIDE = 16  # columns that stand beside the plane of a front
_WIDEST, _HEIGHT = 88, 14  # characters of the plane
_STATES = {"succeeded": "green", "failed": "red", "running": "bold", "cancelled": "dim"}


def show_jobs(jobs: Iterable[Job], plain: bool = False) -> None:
    """A table of jobs."""
    found = list(jobs)
    ids = shortened((job.id for job in found), plain)
    show_rows(
        ("job", "state", "backbone", "dataset", "budget", "trials", "best under it", "left"),
        (
            (
                ids[job.id],
                Text(job.state, _STATES.get(job.state, "")),
                job.spec.backbone,
                job.spec.dataset,
                gmacs(job.spec.budget_gmacs),
                f"{job.trials_done}/{job.trials_total}",
                achieved(job.best),
                span(job.seconds_left),
            )
            for job in found
        ),
        plain,
    )


def show_trials(trials: Iterable[Trial], plain: bool = False) -> None:
    """A table of the trials of a job."""
    found = list(trials)
    ids = shortened((trial.architecture_id for trial in found if trial.architecture_id), plain)
    show_rows(
        ("trial", "state", "resizer", "aim", "accuracy", "GMACs", "architecture", "how it stands"),
        (
            (
                str(index if trial.number is None else trial.number),
                Text(trial.state, _STATES.get(trial.state, "")),
                trial.resizer or "",
                trial.aim or "",
                share(trial.val_accuracy),
                gmacs(trial.gmacs),
                ids.get(trial.architecture_id or "", ""),
                "" if trial.architecture_id else trial.reason or trial.standing,
            )
            for index, trial in enumerate(found)
        ),
        plain,
    )


def show_front(
    points: Sequence[FrontPoint],
    best: FrontPoint | None,
    budget: float,
    *,
    knee: FrontPoint | None = None,
    plain: bool = False,
) -> None:
    """A front as a table and as a plot.

    Args:
        points: of the front and, said so, dominated ones; cheapest first.
        best: the best under the budget.
        budget: GMACs.
        knee: where more cost begins to buy little accuracy.
        plain: rows for other programs, without the plot.
    """
    _show_points(points, best, knee, plain)
    if plain or len(points) < 2:
        return
    on, under = _parted(points)
    seen = glyphs()
    plot = drawing.front(
        [drawing.Curve("front", on, under)],
        budget=budget,
        marked=((seen.knee, knee), (seen.best, best)),
        size=_plane(),
        glyphs=seen,
    )
    legend = [f"{seen.fronts[0]} front"]
    legend += [f"{seen.best} best under the budget"] if best else []
    legend += [f"{seen.knee} knee"] if knee and not _same(knee, best) else []
    show_drawing(plot, "   ".join([*legend, *_common_signs(points, budget, seen)]))


def show_fronts(jobs: Sequence[Job], fronts: Sequence[Front]) -> None:
    """The fronts of several jobs over one another, and a line on each job."""
    seen = glyphs()
    marks = [seen.fronts[n % len(seen.fronts)] for n in range(len(jobs))]
    ids = shortened(job.id for job in jobs)
    curves = [
        drawing.Curve(job.id, *_parted(front.points))
        for job, front in zip(jobs, fronts, strict=True)
    ]
    show_rows(
        ("", "job", "backbone", "dataset", "points", "best under its budget", "budget"),
        (
            (
                Text(mark, drawing.COLOURS[n % len(drawing.COLOURS)]),
                ids[job.id],
                job.spec.backbone,
                job.spec.dataset,
                str(len(curve.points)),
                achieved(front.best_under_budget),
                gmacs(job.spec.budget_gmacs),
            )
            for n, (mark, job, front, curve) in enumerate(
                zip(marks, jobs, fronts, curves, strict=True)
            )
        ),
    )
    points = [point for front in fronts for point in front.points]
    budgets = {job.spec.budget_gmacs for job in jobs}
    budget = budgets.pop() if len(budgets) == 1 else None
    if len(points) > 1:
        plot = drawing.front(curves, budget=budget, marked=(), size=_plane(), glyphs=seen)
        show_drawing(plot, "   ".join(_common_signs(points, budget, seen)))


def sizes_of(point: FrontPoint) -> str:
    """Heights and widths in the order of the network, repeated ones once."""
    texts = [f"{h}" if h == w else pixels((h, w)) for h, w in (point.sizes or {}).values()]
    return " ".join(
        text for text, before in zip(texts, ["", *texts], strict=False) if text != before
    )


def _show_points(
    points: Sequence[FrontPoint], best: FrontPoint | None, knee: FrontPoint | None, plain: bool
) -> None:
    ids = shortened((point.architecture_id for point in points), plain)
    several = plain or len({point.resizer for point in points}) > 1
    show_rows(
        ("architecture", "GMACs", "accuracy", "test", "resizer", "sizes", ""),
        (
            tuple(
                Text(cell, drawing.DIM if point.dominated else "")
                for cell in (
                    ids[point.architecture_id],
                    gmacs(point.gmacs),
                    share(point.val_accuracy, point.spread),
                    share(point.test_accuracy),
                    (point.resizer or "") if several else "",
                    sizes_of(point),
                    _standing(point, best, knee),
                )
            )
            for point in points
        ),
        plain,
    )


def _standing(point: FrontPoint, best: FrontPoint | None, knee: FrontPoint | None) -> str:
    if point.dominated:
        return "dominated"
    words = ("best under the budget" if _same(point, best) else "", _knee(point, knee))
    return ", ".join(word for word in words if word)


def _knee(point: FrontPoint, knee: FrontPoint | None) -> str:
    return "knee" if _same(point, knee) else ""


def _same(point: FrontPoint, other: FrontPoint | None) -> bool:
    return other is not None and point.architecture_id == other.architecture_id


def _common_signs(
    points: Sequence[FrontPoint], budget: float | None, seen: drawing.Glyphs
) -> Iterator[str]:
    """What the signs mean that are the same for all fronts."""
    if any(point.dominated for point in points):
        yield f"{seen.dominated} dominated"
    if budget is not None:
        sign = drawing.sign_of(budget, [point.gmacs for point in points], seen)
        yield f"{sign} budget {gmacs(budget)} GMACs"


def _parted(points: Sequence[FrontPoint]) -> tuple[list[FrontPoint], list[FrontPoint]]:
    """Those of the front, and the dominated ones."""
    return [p for p in points if not p.dominated], [p for p in points if p.dominated]


def _plane() -> tuple[int, int]:
    return max(20, min(_WIDEST, stdout().width - _BESIDE)), _HEIGHT
