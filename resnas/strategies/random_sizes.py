"""Sizes drawn at random: what any search has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np

from resnas.results import Plan
from resnas.strategies._base import AbstractStrategy, Outcome

_SPREAD = 0.4
"""Standard deviation of a size's logarithm about the human one's."""


@final
class RandomSizes(AbstractStrategy):
    """Trains networks of random proportions at costs evenly over the front.

    The logarithm of every size is drawn from a normal distribution about the human size; all are
    then scaled onto the trial's budget.
    """

    def budgets(self) -> list[float]:
        """All points of the front."""
        return self.over_front(self.question.trials)

    def suggest(self, number: int, outcomes: Sequence[Outcome]) -> Plan:
        """Random proportions at the next cost down."""
        del outcomes
        generator = np.random.default_rng([self.question.seed, number])
        sizes = {}
        for choice in self.question.choices:
            drawn = np.array(choice.human) * np.exp(_SPREAD * generator.standard_normal(2))
            v, h = drawn.clip(choice.least, choice.greatest).round().astype(int).tolist()
            sizes[choice.group] = (v, h)
        budget = self.over_front(self.question.trials)[::-1][number]
        resizer = self.question.resizers[0]
        return Plan(resizer=resizer, controller="fixed", budget_gmacs=budget, sizes=sizes)
