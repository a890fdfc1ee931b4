"""From a job to the question that its strategy answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from resnas.backbones import Builder
from resnas.catalog import strategies
from resnas.controllers._onto import OnBudget
from resnas.errors import InvalidSpec
from resnas.estimates import Estimate, GroupFacts
from resnas.estimating import check, sketched
from resnas.lattice import Lattice
from resnas.results import Plan, Size
from resnas.spec import JobSpec
from resnas.strategies._base import AbstractStrategy, Choice, Question
from resnas.trial import with_recipe

LAM_RANGE = (0.02, 4.0)
"""Range of λ times the backbone's GMACs: from hardly felt to as strong as the task's loss."""

_FRONT = 4
"""The wanted front reaches from a quarter of the budget to the budget, where nobody says."""

_ROOM = 1.05
"""How far above the smallest cost the front begins: at the smallest nothing is left to choose."""


@dataclass(frozen=True)
class Prepared:
    """A job that can succeed, with its defaults, what it reaches, and who chooses its trials."""

    spec: JobSpec
    estimate: Estimate
    strategy: AbstractStrategy


def prepare(spec: JobSpec, datasets_dir: Path, backbone: Builder | None = None) -> Prepared:
    """Refuse a job that cannot succeed; else all that it takes to run it.

    Raises:
        UnknownName, DatasetUnavailable, InvalidSpec, InfeasibleBudget, GraphError: see
            `estimating.check`.
        UnreachableBudget: of a strategy that lands on its budget, where no whole sizes do.
    """
    estimate = check(spec, datasets_dir, backbone)
    spec = completed(spec)
    _check_use(spec, estimate)
    strategy: AbstractStrategy = strategies[spec.strategy](question(spec, estimate, backbone))
    for resizer in spec.resizer:
        check_landing(strategy, estimate, resizer, backbone)
    return Prepared(spec, estimate, strategy)


def _check_use(spec: JobSpec, estimate: Estimate) -> None:
    """Refuse what the strategy would leave unused."""
    strategy = strategies[spec.strategy]
    if spec.budget_ms is not None and not strategy.takes_milliseconds:
        raise InvalidSpec(
            "budget_ms",
            f"the strategy '{spec.strategy}' does not land on milliseconds",
            "Use strategy='budget', or leave budget_ms out",
        )
    if spec.search.open and not strategy.opens_training:
        raise InvalidSpec(
            "search.open",
            f"the strategy '{spec.strategy}' trains all trials alike",
            "Use strategy='sweep', or leave it out",
        )
    if len(spec.resizer) > 1 and not strategy.takes_resizers:
        raise InvalidSpec(
            "resizer",
            f"the strategy '{spec.strategy}' takes one, not {', '.join(spec.resizer)}",
            "Name one, or use strategy='sweep' or 'budget'",
        )
    if strategy.chooses_sizes and not any(
        least != greatest for least, greatest in map(_reach, estimate.groups)
    ):
        raise InvalidSpec(
            "resizer",
            f"'{spec.resizer[0]}' leaves no size to choose",
            "Choose one that does, for example 'dynopool'",
        )


def completed(spec: JobSpec) -> JobSpec:
    """The job with as many trials as its strategy takes, where it does not say.

    Raises:
        UnknownName: there is no such strategy.
    """
    if spec.trials is not None:
        return spec
    trials = strategies[spec.strategy].usual_trials(len(spec.resizer))
    return spec.model_copy(update={"trials": trials})


def question(spec: JobSpec, estimate: Estimate, backbone: Builder | None = None) -> Question:
    """What the strategy is asked: λ is searched relative to the backbone's own GMACs."""
    low, high = (bound / estimate.human_gmacs for bound in LAM_RANGE)
    low, high = spec.search.lam_min or low, spec.search.lam_max or high
    if low >= high:
        raise InvalidSpec(
            "search", f"λ has to be above {low:g} and below {high:g}", "Give lam_min and lam_max"
        )
    front = _front(spec, estimate)
    chooses = strategies[spec.strategy].chooses_sizes
    return Question(
        lam_min=low,
        lam_max=high,
        resizers=spec.resizer,
        budget_gmacs=spec.budget_gmacs,
        budget_ms=spec.budget_ms,
        trials=spec.trials or 1,
        seed=spec.seed,
        min_gmacs=front[0],
        max_gmacs=front[1],
        human_gmacs=estimate.human_gmacs,
        input_size=estimate.input_size,
        training=with_recipe(spec.training, spec.backbone, backbone),
        opened=spec.search.open,
        choices=tuple(
            Choice(group.name, least, group.human_size, greatest)
            for group in estimate.groups
            for least, greatest in [_reach(group)]
            if least != greatest
        ),
        gmacs=_Costing(estimate, backbone) if chooses else None,
    )


def check_landing(
    strategy: AbstractStrategy,
    estimate: Estimate,
    resizer: str,
    backbone: Builder | None = None,
) -> None:
    """Refuse budgets that no whole sizes of a resizer meet, before anything is trained.

    Raises:
        UnreachableBudget: of what the strategy has to land on, with the nearest costs.
    """
    budgets = strategy.budgets()
    if not budgets:
        return
    onto = OnBudget(sketched(estimate, backbone, resizer))
    start = onto.coordinates(onto.relaxation.human)
    for budget in budgets:
        plan = Plan(resizer=resizer, budget_gmacs=budget)
        onto.land(onto.scaled(start, budget * 1e9), plan)


class _Costing:
    """GMACs of whole sizes, by name of the group; infinite where the resizers cannot make them."""

    def __init__(self, estimate: Estimate, backbone: Builder | None) -> None:
        self._lattice = Lattice(sketched(estimate, backbone))

    def __call__(self, sizes: Mapping[str, Size]) -> float:
        point = self._lattice.point(sizes)
        if not self._lattice.can_be(point):
            return math.inf
        return int(self._lattice.costs(point[None])[0]) / 1e9


def _front(spec: JobSpec, estimate: Estimate) -> tuple[float, float]:
    """Ends of the wanted front in GMACs."""
    low, high = _ROOM * estimate.min_gmacs, estimate.max_gmacs
    most = spec.search.max_gmacs or float(np.clip(spec.budget_gmacs, low, high))
    least = spec.search.min_gmacs or max(most / _FRONT, low)
    for name, end in (("min_gmacs", spec.search.min_gmacs), ("max_gmacs", spec.search.max_gmacs)):
        if end is not None and not estimate.min_gmacs <= end <= high:
            raise InvalidSpec(
                f"search.{name}",
                f"{end:g} GMACs cannot be reached",
                f"Choose it from {estimate.min_gmacs:.4g} to {high:.4g}",
            )
    if spec.search.min_gmacs is None:
        least = min(least, most)
    if least > most:
        raise InvalidSpec(
            "search.min_gmacs, search.max_gmacs",
            f"the front begins at {least:.4g} GMACs and ends at {most:.4g}",
            "Give both, the smaller one first, or a larger budget",
        )
    return least, most


def _reach(group: GroupFacts) -> tuple[Size, Size]:
    """The least and the greatest size of a group."""
    facts = group.sizes[group.name]
    return facts.smallest, facts.largest
