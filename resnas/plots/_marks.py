"""A trained architecture as a point of a figure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from resnas import pareto
from resnas.plots._style import literal, pixels
from resnas.results import Size, TrialResult, TrialState

_SITES = 6
"""Sites whose sizes a hover card has room for."""


@dataclass(frozen=True)
class Mark:
    """A trained architecture as a point of a figure.

    Attributes:
        id: what names it to whoever draws the figure.
        spread: one standard error of the validation accuracy.
        aim: what set its cost, in a word or two.
        sizes: (H, W) by site.
        dominated: whether another one of the same figure is no worse in both and better in one.
        job: that it comes from.
    """

    id: str
    gmacs: float
    val_accuracy: float
    spread: float | None = None
    test_accuracy: float | None = None
    trial: int | None = None
    resizer: str = ""
    aim: str | None = None
    lam: float | None = None
    seed: int | None = None
    sizes: Mapping[str, Size] | None = None
    dominated: bool = False
    job: str | None = None

    @property
    def drawable(self) -> bool:
        """Whether it has a place in a figure: its training may have come to NaN."""
        return math.isfinite(self.val_accuracy) and math.isfinite(self.gmacs)


def marks_of(results: Sequence[TrialResult]) -> list[Mark]:
    """The completed trials of one search, named "trial n"; a second result of one "trial n (2)"."""
    done = [r for r in results if r.state is TrialState.COMPLETE]
    found = [
        (r, r.val_accuracy, r.gmacs)
        for r in done
        if r.val_accuracy is not None and r.gmacs is not None
    ]
    times: Counter[int] = Counter()
    names = []
    for r, _, _ in found:
        times[r.number] += 1
        again = f" ({times[r.number]})" if times[r.number] > 1 else ""
        names.append(f"trial {r.number}{again}")
    best = set(pareto.front([(accuracy, gmacs) for _, accuracy, gmacs in found]))
    return [
        Mark(
            id=names[index],
            gmacs=gmacs,
            val_accuracy=accuracy,
            spread=r.spread,
            test_accuracy=r.test_accuracy,
            trial=r.number,
            resizer=r.resizer,
            aim=r.aim,
            lam=r.lam,
            seed=r.seed,
            sizes=r.architecture.sizes if r.architecture else None,
            dominated=index not in best,
        )
        for index, (r, accuracy, gmacs) in enumerate(found)
    ]


def card(mark: Mark) -> str:
    """What is told of a point when it is pointed at: at most twelve lines, all texts escaped."""
    accuracy = f"{mark.val_accuracy:.2%}"
    if mark.spread is not None:
        accuracy += f" ± {mark.spread:.2%}"
    told = [f"<b>{accuracy}</b> at <b>{mark.gmacs:.4g} GMACs</b>"]
    if mark.test_accuracy is not None:
        told.append(f"test {mark.test_accuracy:.2%}")
    ran = {"trial": mark.trial, "seed": mark.seed}
    told.append(", ".join(f"{name} {n}" for name, n in ran.items() if n is not None))
    told.append(literal(", ".join(text for text in (mark.resizer, _aim(mark)) if text)))
    if mark.job is not None:
        told.append(f"job {literal(mark.job)}")
    return "<br>".join(filter(None, [*told, *_sizes(mark.sizes or {})]))


def _aim(mark: Mark) -> str | None:
    return mark.aim or (None if mark.lam is None else f"λ = {mark.lam:.3g}")


def _sizes(sizes: Mapping[str, Size]) -> list[str]:
    told = [f"{literal(site)} {pixels(size)}" for site, size in list(sizes.items())[:_SITES]]
    return told + ([f"and {len(sizes) - _SITES} more"] if len(sizes) > _SITES else [])
