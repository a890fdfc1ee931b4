"""The whole front from one training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from resnas.results import Plan
from resnas.strategies._base import AbstractStrategy, Outcome

SHARED = 1.4
"""How many times as long as a single network the shared one is trained."""

_MOST = 1000
"""Epochs that a training has at most."""

SETTLE = 0.1
"""Share of the epochs that each point of the front settles for."""

RATE = 0.5
"""Share of the learning rate that weights which have been trained already go on with."""


@final
class Amortized(AbstractStrategy):
    """Trains one network for all budgets of the front, then lets each point settle on its own.

    The first trial learns how sizes follow the budget, with one set of weights (controller
    "conditional"), for somewhat more epochs than a single network. Each further one takes weights
    and sizes from it, at one of the budgets, and trains the weights a little more; these are
    independent of each other. The job's own budget is among the points.
    """

    @classmethod
    def usual_trials(cls, resizers: int) -> int:
        """The shared network, and eight points."""
        del resizers
        return 9

    def budgets(self) -> list[float]:
        """All points of the front."""
        return self.over_front_and_budget(max(self.question.trials - 1, 1))

    def suggest(self, number: int, outcomes: Sequence[Outcome]) -> Plan:
        """The shared network first, then the points, that at the budget before all others.

        Raises:
            InvalidSpec: the front has no width.
        """
        del outcomes
        resizer = self.question.resizers[0]
        points = self.over_front_and_budget(max(self.question.trials - 1, 1))
        if number == 0:
            return Plan(
                resizer=resizer,
                controller="conditional",
                budget_gmacs=points[0],
                span=(self.question.min_gmacs, self.question.max_gmacs),
                training={"epochs": min(round(SHARED * self.question.training.epochs), _MOST)},
            )
        training = self.question.training
        assert training.lr is not None
        return Plan(
            resizer=resizer,
            controller="fixed",
            budget_gmacs=points[number - 1],
            training={
                "epochs": max(1, round(SETTLE * training.epochs)),
                "lr": RATE * training.lr,
            },
            start=0,
        )
