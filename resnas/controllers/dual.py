"""A λ that is learned as well: for budgets of a cost without a closed form."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from resnas.controllers._base import AbstractController
from resnas.controllers._onto import OnBudget
from resnas.errors import InvalidSpec
from resnas.results import Plan, TrialResult
from resnas.space import SearchSpace
from resnas.stepping import step_within

_INTEGRAL, _PROPORTIONAL = 0.02, 0.5
"""How fast λ follows the excess over the budget, and how much it answers to it at once. The second
damps the swings that the first alone runs into."""


@final
class Dual(AbstractController):
    """`loss = task + λ · cost / budget`, with a λ that rises above the budget and falls below it.

    Gradient ascent on λ with a proportional part (as in Sohrabi et al., "On PI controllers for
    updating Lagrange multipliers", 2024), at the cost of the whole sizes. λ may become negative: a
    network below its budget grows. When the search ends, sizes take whole steps to what costs the
    most within the budget.

    Raises:
        InvalidSpec: no budget, neither in GMACs nor in milliseconds, or one that is too small.
    """

    def __init__(self, space: SearchSpace, plan: Plan, start: TrialResult | None = None) -> None:
        super().__init__(space, plan, start)
        if plan.budget_ms is not None:
            self.cost, self.budget = "latency", plan.budget_ms
        elif plan.budget_gmacs is not None:
            self.cost, self.budget = "macs", plan.budget_gmacs * 1e9
        else:
            raise InvalidSpec(
                "budget_gmacs", "there is no budget", "Give budget_gmacs or budget_ms"
            )
        least, _ = space.range(self.cost)
        if least > self.budget:
            raise _too_small(self.cost, self.budget, least)
        self._lam = torch.zeros((), dtype=torch.float64)
        self._excess = 0.0

    def loss(self, task: Tensor) -> Tensor:
        """The task's loss and λ times the cost, as a share of the budget."""
        share = self.space.cost(self.cost) / self.budget
        self._excess = float(share.detach()) - 1
        lam = float(self._lam) + _PROPORTIONAL * self._excess
        return task + lam * share.to(task.device, task.dtype)

    def after_step(self) -> None:
        """Move λ by the excess, and keep the strides where gradients reach them."""
        self._lam += _INTEGRAL * self._excess
        self.space.clip_strides()

    def settle(self) -> None:
        """Land on whole sizes within the budget."""
        if self.cost == "macs":
            onto = OnBudget(self.space)
            # what is left of the excess is taken from all sizes alike
            sizes = onto.scaled(onto.coordinates(onto.relaxation.sizes()), self.budget)
            onto.land(sizes, self.plan)
        elif not step_within(self.space, self.cost, self.budget):
            raise _too_small(self.cost, self.budget, self.space.range(self.cost)[0])

    def state(self) -> dict[str, Tensor]:
        """λ."""
        return {"lam": self._lam}


def _too_small(cost: str, budget: float, least: float) -> InvalidSpec:
    if cost == "latency":
        place, text = "budget_ms", f"{budget:.4g} ms; the smallest network takes {least:.4g} here"
    else:
        place, text = "budget_gmacs", f"{budget / 1e9:.4g}; the smallest is {least / 1e9:.4g}"
    return InvalidSpec(place, f"it is {text}", "Give a larger one, or choose a smaller backbone")
