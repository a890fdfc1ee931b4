"""One network for every budget of a span: the whole front from one training."""

from __future__ import annotations

import math
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

    Of three steps one is at the greatest budget, one at the least, and one between them, drawn
    evenly in logarithms: the sandwich rule, spread over steps. (Three passes a step cost the same
    and learn a third as often; with the smaller two learning from the greatest's answers, networks
    came out worse at the same compute.) It is measured at the plan's budget, with batch statistics
    of its own.

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
        self._turn = torch.zeros((), dtype=torch.int64)
        self.rest()

    def parameters(self) -> list[nn.Parameter]:
        """v and w of every size."""
        return [self._following.base, self._following.slope]

    def before_step(self, generator: torch.Generator) -> None:
        """The greatest budget, the least, and one between them, in turn."""
        low, high = self._following.span
        share = float(torch.rand((), generator=generator))
        between = math.exp(math.log(low) + share * math.log(high / low))
        self._at = (high, low, between)[int(self._turn)]
        self._turn.copy_((self._turn + 1) % 3)
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
        following = self._following
        return {
            "base": following.base.data,
            "slope": following.slope.data,
            "turn": self._turn,
        }

    def learned(self) -> dict[str, list[float]]:
        """v, w and the span."""
        return self._following.learned()
