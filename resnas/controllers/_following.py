"""How sizes follow the budget: a small monotone function for each."""

from __future__ import annotations

import math
from typing import Self

import torch
from torch import Tensor, nn

from resnas.controllers._onto import OnBudget
from resnas.relaxation import Sizes


class Following:
    """The sizes for every budget of a span, all on their budget.

    With b from -1 to 1 over the span, in logarithms, the proportions are log u = v + w·b, and the
    sizes t·u, where t brings them onto the budget. No size falls while the budget grows: t grows
    with the square root of the budget at least, and |w| is kept at half of what that allows.

    Args:
        onto: the sizes of a space.
        span: least and greatest budget, in multiply-accumulates.

    Attributes:
        base: v, (groups, 2), in the coordinates of `OnBudget`.
        slope: w.
    """

    def __init__(self, onto: OnBudget, span: tuple[float, float]) -> None:
        self.onto = onto
        self.span = span
        self._half = math.log(span[1] / span[0]) / 2
        middle = onto.scaled(
            onto.coordinates(onto.relaxation.sizes()), math.sqrt(span[0] * span[1])
        )
        self.base = nn.Parameter(onto.coordinates(middle))
        self.slope = nn.Parameter(torch.zeros_like(self.base))

    @classmethod
    def of(cls, onto: OnBudget, learned: dict[str, list[float]]) -> Self:
        """What another training learned of the same space."""
        low, high = learned["span"]
        found = cls(onto, (low, high))
        with torch.no_grad():
            for name, parameter in (("base", found.base), ("slope", found.slope)):
                parameter.copy_(torch.tensor(learned[name], dtype=torch.float64).view(-1, 2))
        return found

    def learned(self) -> dict[str, list[float]]:
        """All numbers of the function."""
        return {
            "span": list(self.span),
            "base": self.base.detach().flatten().tolist(),
            "slope": self.slope.detach().flatten().tolist(),
        }

    def place(self, budget: float) -> float:
        """Where a budget lies in the span: -1 at the least, 1 at the greatest."""
        middle = math.sqrt(self.span[0] * self.span[1])
        return math.log(budget / middle) / self._half if self._half else 0.0

    def at(self, budget: float) -> Sizes:
        """The real sizes for a budget."""
        return self.onto.scaled(self.base + self.slope * self.place(budget), budget)

    def add_gradient(self, along: Tensor, budget: float) -> None:
        """Add a gradient by the coordinates at one budget to those of the function."""
        for parameter, part in ((self.base, along), (self.slope, along * self.place(budget))):
            parameter.grad = part if parameter.grad is None else parameter.grad + part

    @torch.no_grad()
    def clip(self) -> None:
        """Keep the function monotone, and its middle on the middle budget."""
        middle = self.onto.scaled(self.base, math.sqrt(self.span[0] * self.span[1]))
        self.base.copy_(self.onto.coordinates(middle))
        # log t grows by b·half/2 at least; a coordinate is twice a logarithm
        most = self._half / 2
        self.slope.sub_(self.slope.mean()).clamp_(-most, most)
