"""One network for every budget of a span: the whole front from one training."""

from __future__ import annotations

from typing import ClassVar, final

import torch
from torch import Tensor, nn

from resnas.controllers._base import AbstractController
from resnas.controllers._following import Following
from resnas.controllers._onto import OnBudget, budget_of
from resnas.errors import InvalidSpec
from resnas.results import Plan, TrialResult
from resnas.space import SearchSpace


@final
class Conditional(AbstractController):
    """Learns how sizes follow the budget, with one set of weights for all of them.

    Every step is at one budget, drawn evenly in logarithms. (The sandwich rule passes at the
    greatest, the least and one between in every step, the smaller two learning from the greatest's
    answers: at the same compute it learns a third as often. In the one short training tried, its
    networks were worse than those of single passes.) It is measured at the plan's budget, with
    batch statistics of its own.

    Raises:
        InvalidSpec: no budget, or no span that holds it.
        UnreachableBudget: no whole sizes around the start cost from 95 to 100 % of the budget.
    """

    shares: ClassVar = True

    def __init__(self, space: SearchSpace, plan: Plan, start: TrialResult | None = None) -> None:
        super().__init__(space, plan, start)
        self.budget = budget_of(plan)
        low, high = (end * 1e9 for end in plan.span or (0.0, 0.0))
        if not 0 < low <= self.budget <= high:
            raise InvalidSpec(
                "span",
                f"the budgets from {low / 1e9:g} to {high / 1e9:g} GMACs do not hold the job's, "
                f"{self.budget / 1e9:g}",
                "Give a least and a greatest budget with the job's between them",
            )
        self._onto = OnBudget(space)
        self._following = Following(self._onto, (low, high))
        for end in (low, high):
            sizes = self._following.at(end)
            self._onto.land(sizes, plan.model_copy(update={"budget_gmacs": end / 1e9}))
        self._at = self.budget
        self.rest()

    def parameters(self) -> list[nn.Parameter]:
        """v and w of every size."""
        return [self._following.base, self._following.slope]

    def before_step(self, generator: torch.Generator) -> None:
        """Sizes for a budget drawn from the span."""
        low, high = self._following.span
        share = float(torch.rand((), generator=generator))
        self._at = low * (high / low) ** share
        self._sizes = self._following.at(self._at)
        self._onto.relaxation.apply(self._sizes)

    def gather(self) -> None:
        """The gradient by the functions, from that by the strides."""
        self._following.add_gradient(self._onto.gradient(self._sizes), self._at)
        for stride in self.space.arch_parameters():
            stride.grad = None

    def after_step(self) -> None:
        """Keep the functions monotone."""
        self._following.clip()

    def rest(self) -> None:
        """The whole sizes of the plan's budget."""
        self._onto.land(self._following.at(self.budget), self.plan)

    def state(self) -> dict[str, Tensor]:
        """v and w."""
        return {"base": self._following.base.data, "slope": self._following.slope.data}

    def learned(self) -> dict[str, list[float]]:
        """v, w and the span."""
        return self._following.learned()
