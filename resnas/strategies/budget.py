"""One training that ends on the budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

from resnas.results import Plan
from resnas.strategies._base import AbstractStrategy, Outcome


@final
class Budget(AbstractStrategy):
    """Lands each trial on the budget: one for each resizer; more are repeats with other seeds.

    A budget in GMACs is kept at every step of the training, without a λ (controller "projection").
    One in milliseconds has no closed form: its λ is learned (controller "dual").
    """

    takes_milliseconds: ClassVar = True
    takes_resizers: ClassVar = True

    @classmethod
    def usual_trials(cls, resizers: int) -> int:
        """One for each resizer."""
        return resizers

    def budgets(self) -> list[float]:
        """The budget."""
        return [] if self.question.budget_ms else [self.question.budget_gmacs]

    def suggest(self, number: int, outcomes: Sequence[Outcome]) -> Plan:
        """The next resizer in turn, whatever came of earlier trials."""
        del outcomes
        resizers = self.question.resizers
        resizer = resizers[number % len(resizers)]
        if self.question.budget_ms is not None:
            return Plan(resizer=resizer, controller="dual", budget_ms=self.question.budget_ms)
        budget = self.question.budget_gmacs
        return Plan(resizer=resizer, controller="projection", budget_gmacs=budget)
