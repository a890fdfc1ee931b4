"""What a notebook shows of the server's answers; all texts are escaped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resnas.notebook import card, frame, gmacs, picture, share, table
from resnas.results import Size

if TYPE_CHECKING:
    from pandas import DataFrame

    from service.answers import Front, Job, StoredArchitecture


def of_job(job: Job) -> str:
    """What was asked, how far it is, and why it failed where it did."""
    facts = {
        "state": job.state,
        "trials": f"{job.trials_done} of {job.trials_total}",
        "budget": f"{gmacs(job.spec.budget_gmacs)} GMACs",
        "best under the budget": str(job.best) if job.best else "none yet",
        "left": None if job.seconds_left is None else f"{job.seconds_left:.0f} s",
        "error": str(job.error) if job.error else None,
    }
    return card(f"{job.spec.backbone} on {job.spec.dataset}, job {job.id}", facts)


def of_front(front: Front) -> str:
    """A front as a small picture over its table; the best under the budget stands out."""
    from resnas.picture import front_svg  # here: it takes numpy

    best, knee = front.best_under_budget, front.knee
    facts = {
        "points": str(len(front.points)),
        "best under the budget": str(best) if best else "none",
        "knee": str(knee) if knee else None,
    }
    drawn = picture(front_svg([point.mark() for point in front.points], title=""))
    return card("Front", facts, drawn if front.points else "", _table(front))


def of_architecture(stored: StoredArchitecture) -> str:
    """What an architecture achieved, and its sizes."""
    trial = stored.trial
    facts = {
        "accuracy": share(trial.val_accuracy, trial.spread),
        "test": share(trial.test_accuracy),
        "cost": f"{gmacs(trial.gmacs)} GMACs" if trial.gmacs is not None else None,
        "job": stored.job_id,
    }
    return card(f"Architecture {stored.id}", facts, stored.architecture._repr_html_())


def frame_of(front: Front) -> DataFrame:
    """The points of a front, a row each; sizes are two columns a site."""
    from service.answers import FrontPoint  # here: each needs the other

    facts = [name for name in FrontPoint.model_fields if name != "sizes"]
    sides = [_sides(point.sizes) for point in front.points]
    rows = [
        point.model_dump(include=set(facts)) | own
        for point, own in zip(front.points, sides, strict=True)
    ]
    return frame(rows, [*facts, *dict.fromkeys(name for own in sides for name in own)])


def _table(front: Front) -> str:
    chosen = {"best under the budget": front.best_under_budget, "knee": front.knee}
    words = [
        ", ".join(
            word for word, c in chosen.items() if c and c.architecture_id == p.architecture_id
        )
        for p in front.points
    ]
    rows = [
        (
            point.architecture_id,
            gmacs(point.gmacs),
            share(point.val_accuracy, point.spread),
            share(point.test_accuracy),
            point.resizer or "",
            word,
        )
        for point, word in zip(front.points, words, strict=True)
    ]
    columns = ("architecture", "GMACs", "accuracy", "test", "resizer", "")
    return table(columns, rows, [i for i, word in enumerate(words) if word.startswith("best")])


def _sides(sizes: dict[str, Size] | None) -> dict[str, int]:
    """Sizes as the columns of a data frame."""
    return {
        f"{site}.{side}": pixels
        for site, size in (sizes or {}).items()
        for side, pixels in zip(("height", "width"), size, strict=True)
    }
