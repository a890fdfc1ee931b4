"""One network for every budget of a span: the whole front from one training."""

from __future__ import annotations

import math
from collections.abc import Iterator
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

    Every step passes at the greatest budget, at the least, and at one between them, drawn evenly in
    logarithms (the sandwich rule); the smaller two learn from the answers of the greatest. It is
    measured at the plan's budget, with batch statistics of its own.

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

    def passes(self, generator: torch.Generator) -> Iterator[None]:
        """At the greatest budget, the least, and one between them."""
        low, high = self._following.span
        share = float(torch.rand((), generator=generator))
        for budget in (high, low, math.exp(math.log(low) + share * math.log(high / low))):
            self._at = budget
            self._sizes = self._following.at(budget)
            self._onto.relaxation.apply(self._sizes)
            yield None

    def gather(self) -> None:
        """The gradient by the functions, from that by the strides at this pass."""
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
