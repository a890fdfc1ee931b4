"""Sizes that are kept on a budget: coordinates, gradients along it, and where they may go."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from resnas.errors import InvalidSpec, UnreachableBudget
from resnas.lattice import TOLERANCE, Lattice
from resnas.relaxation import Sizes
from resnas.results import Plan
from resnas.space import SearchSpace

SPREAD = math.log(4.0)
"""How far a size may come from its part in the human design, and height from width, in logarithms:
a map that collapses to a line, or to a point, hardly ever comes back."""


class OnBudget:
    """The sizes of a space, kept at what costs a budget.

    The coordinates of a size z are 2·log z: about a stride of 2, a step in them is as large as the
    same step of the stride.

    Args:
        space: whose sizes.
        cost: name of one that is a polynomial in the sizes.
    """

    def __init__(self, space: SearchSpace, cost: str = "macs") -> None:
        self.space = space
        self.lattice = Lattice(space, cost)
        self.relaxation = self.lattice.relaxation
        self.groups = self.relaxation.groups
        if not self.groups:
            raise InvalidSpec(
                f"resizer {space.resizer}",
                "it learns no size, so nothing can be brought onto a budget",
                "Choose one that does, for example 'dynopool'",
            )

    def coordinates(self, sizes: Sizes) -> Tensor:
        """2·log z of real sizes, (groups, 2) float64."""
        return torch.from_numpy(2 * np.log(sizes))

    def scaled(self, coordinates: Tensor, budget: float) -> Sizes:
        """The sizes of these proportions that cost `budget`, within the guards."""
        proportions = np.exp(coordinates.detach().cpu().numpy() / 2)
        return self.relaxation.scaled(self._guarded(proportions), budget)

    def gradient(self, sizes: Sizes) -> Tensor:
        """The task's gradient by the coordinates, along what costs the same, (groups, 2).

        With z = t·u and t from c(t·u) = B, ∂L/∂log u_j = g_j - c_j · Σg / Σc, where g and c are the
        gradients of loss and cost by log z, and the sums leave out sizes that a bound holds.
        """
        raw = np.zeros_like(sizes)
        for n, (group, entering) in enumerate(
            zip(self.groups, self.relaxation.entering(), strict=True)
        ):
            stride, slope = group.stride, group.stride.grad
            if slope is None:
                continue
            s, g = (np.array(t.detach().double().cpu().tolist()) for t in (stride, slope))
            # of s = n / (z - c), whatever the operator's constant c: ds / dlog z = - s² z / n
            raw[n] = -g * s * s * sizes[n] / entering
        _, cost = self.relaxation(sizes)
        free = (sizes > self.relaxation.low) & (sizes < self.relaxation.high)
        whole = float(cost[free].sum())
        along = raw - cost * (float(raw[free].sum()) / whole if whole > 0 else 0.0)
        return torch.from_numpy(along / 2)

    def land(self, sizes: Sizes, plan: Plan) -> None:
        """Give the space the whole sizes nearest below the plan's budget.

        Raises:
            InvalidSpec: the plan has no budget.
            UnreachableBudget: none is within 5 % below it.
        """
        budget = budget_of(plan)
        landing = self.lattice.land(sizes, math.floor(budget))
        if landing.cost is None or landing.cost < (1 - TOLERANCE) * budget:
            raise UnreachableBudget(
                budget / 1e9,
                below=None if landing.cost is None else landing.cost / 1e9,
                above=None if landing.above is None else landing.above / 1e9,
            )

    def _guarded(self, proportions: Sizes) -> Sizes:
        """The proportions with every size and shape within `SPREAD` of the human design's."""
        away: NDArray[np.float64] = np.log(proportions / self.relaxation.human)
        usual = float(np.median(away))
        away = usual + (away - usual).clip(-SPREAD, SPREAD)
        square = away.mean(axis=1, keepdims=True)
        away = square + (away - square).clip(-SPREAD / 2, SPREAD / 2)
        guarded: Sizes = np.exp(away) * self.relaxation.human
        return guarded


def budget_of(plan: Plan) -> float:
    """What the plan may cost, in multiply-accumulates.

    Raises:
        InvalidSpec: it does not say.
    """
    if plan.budget_gmacs is None:
        raise InvalidSpec(
            "budget_gmacs",
            f"the controller '{plan.controller}' lands on a budget in GMACs, and none is given",
            "Give budget_gmacs; a budget in milliseconds is for the controller 'dual'",
        )
    return plan.budget_gmacs * 1e9
