"""Sizes that cost the budget at every step: a training without λ that ends on it."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from resnas.controllers._base import AbstractController
from resnas.controllers._onto import OnBudget, budget_of
from resnas.results import Plan, TrialResult
from resnas.space import SearchSpace


@final
class Projection(AbstractController):
    """Learns the proportions u of the sizes z = t·u; t is always such that z costs the budget.

    MACs are a polynomial in the sizes, so t follows in closed form (by bisection where bounds hold
    sizes), and the gradient flows through it: along what costs the same. The real sizes cost the
    budget to a part in 10⁹; those that the network has while it searches are rounded. When the
    search ends, they become the whole sizes that cost the most within the budget.

    Raises:
        InvalidSpec: no budget in GMACs, or a resizer that learns no size.
        UnreachableBudget: no whole sizes around the start cost from 95 to 100 % of the budget.
    """

    def __init__(self, space: SearchSpace, plan: Plan, start: TrialResult | None = None) -> None:
        super().__init__(space, plan, start)
        self.budget = budget_of(plan)
        self._onto = OnBudget(space)
        first = self._onto.relaxation.sizes()
        sizes = self._onto.scaled(self._onto.coordinates(first), self.budget)
        self._onto.land(sizes, plan)  # so that a budget that cannot be met is refused now
        self._coordinates = nn.Parameter(self._onto.coordinates(sizes))
        self._sizes = sizes.copy()
        self._move()

    def parameters(self) -> list[nn.Parameter]:
        """2·log of the sizes, (groups, 2)."""
        return [self._coordinates]

    def gather(self) -> None:
        """The gradient by the proportions, from that by the strides."""
        self._coordinates.grad = self._onto.gradient(self._sizes)
        for stride in self.space.arch_parameters():
            stride.grad = None

    def after_step(self) -> None:
        """Bring the sizes back onto the budget."""
        self._move()

    def settle(self) -> None:
        """Land on whole sizes."""
        self._onto.land(self._sizes, self.plan)

    def state(self) -> dict[str, Tensor]:
        """The coordinates, and the sizes that they came to."""
        return {
            "coordinates": self._coordinates.data,
            "sizes": torch.from_numpy(self._sizes),  # the same memory
        }

    @torch.no_grad()
    def _move(self) -> None:
        self._sizes[:] = self._onto.scaled(self._coordinates, self.budget)
        self._coordinates.copy_(self._onto.coordinates(self._sizes))
        self._onto.relaxation.apply(self._sizes)
