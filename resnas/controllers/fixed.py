"""Sizes that stay as they are given."""

from __future__ import annotations

from typing import ClassVar, final

from resnas.controllers._base import AbstractController
from resnas.controllers._following import Following
from resnas.controllers._onto import OnBudget, budget_of
from resnas.results import Plan, TrialResult
from resnas.space import SearchSpace


@final
class Fixed(AbstractController):
    """Trains weights alone, at the sizes of the plan, of the trial it goes on from, or human ones.

    With a budget these are its proportions: they become the whole sizes nearest below the budget.
    From a trial that learned how sizes follow the budget, they are those for this one's.

    Raises:
        UnknownName: the plan names a group that there is not.
        ArchitectureMismatch: a group cannot have its size.
        UnreachableBudget: no whole sizes around cost from 95 to 100 % of the budget.
    """

    learns: ClassVar = False

    def __init__(self, space: SearchSpace, plan: Plan, start: TrialResult | None = None) -> None:
        super().__init__(space, plan, start)
        if plan.budget_gmacs is None:
            return
        onto = OnBudget(space)
        if start and start.learned and not plan.sizes:
            sizes = Following.of(onto, start.learned).at(budget_of(plan))
        else:
            first = onto.coordinates(onto.relaxation.sizes())
            sizes = onto.scaled(first, budget_of(plan))
        onto.land(sizes, plan)
