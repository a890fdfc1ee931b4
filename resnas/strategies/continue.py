"""Trainings along the front, each going on from its neighbour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

from resnas.results import Plan
from resnas.strategies._base import AbstractStrategy, Outcome

EPOCHS, RATE = 0.5, 0.5
"""Shares of the epochs and of the learning rate for a training that does not begin anew."""


@final
class Continue(AbstractStrategy):
    """Goes along the front from the greatest budget to the least, each trial landing on its own.

    A trial begins with the weights and the proportions of the one before, so half of the epochs
    serve. Where that one failed, the next begins anew.
    """

    def budgets(self) -> list[float]:
        """All points of the front."""
        return self.over_front(self.question.trials)

    def suggest(self, number: int, outcomes: Sequence[Outcome]) -> Plan:
        """The next budget down, from the trial before."""
        budget = self.over_front(self.question.trials)[::-1][number]
        resizer = self.question.resizers[0]
        before = next((one for one in outcomes if one.number == number - 1), None)
        if number == 0 or (before is not None and before.gmacs is None):
            return Plan(resizer=resizer, controller="projection", budget_gmacs=budget)
        training = self.question.training
        assert training.lr is not None
        return Plan(
            resizer=resizer,
            controller="projection",
            budget_gmacs=budget,
            training={
                "epochs": max(1, math.ceil(EPOCHS * training.epochs)),
                "lr": RATE * training.lr,
            },
            start=number - 1,
        )
