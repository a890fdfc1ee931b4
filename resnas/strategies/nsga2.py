"""Evolution of whole sizes: the usual search without gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

import numpy as np
import optuna

from resnas.results import Plan, Size
from resnas.strategies._base import AbstractStrategy, Outcome
from resnas.strategies._optuna import silent

_ATTEMPTS = 200
"""How often sizes are drawn until their cost is on the wanted front."""

_POPULATION = 8


@final
class NSGA2(AbstractStrategy):
    """Optuna's NSGA-II over the whole sizes of all groups, each from half to twice the human size.

    Sizes whose cost, which is known without training, is beyond the wanted front are not trained.
    """

    chooses_sizes: ClassVar = True

    def suggest(self, number: int, outcomes: Sequence[Outcome]) -> Plan:
        """What NSGA-II proposes, seeded by (seed, number)."""
        known = sorted(outcomes, key=lambda outcome: outcome.number)
        entropy = np.random.SeedSequence([self.question.seed, number])
        with silent():
            study = self._study(known, int(entropy.generate_state(1)[0]))
            sizes = self._drawn(study)
        return Plan(resizer=self.question.resizers[0], controller="fixed", sizes=sizes)

    def _drawn(self, study: optuna.Study) -> dict[str, Size]:
        """The first sizes whose cost is on the front, else the last ones drawn."""
        assert self.question.gmacs is not None
        sizes: dict[str, Size] = {}
        for _ in range(_ATTEMPTS):
            trial = study.ask(self._distributions())
            sizes = {
                choice.group: (trial.params[f"{choice.group} v"], trial.params[f"{choice.group} h"])
                for choice in self.question.choices
            }
            gmacs = self.question.gmacs(sizes)
            if self.question.min_gmacs <= gmacs <= self.question.max_gmacs:
                break
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        return sizes

    def _study(self, known: Sequence[Outcome], seed: int) -> optuna.Study:
        study = optuna.create_study(
            directions=["maximize", "minimize"],
            sampler=optuna.samplers.NSGAIISampler(seed=seed, population_size=_POPULATION),
        )
        for outcome in known:
            values = [v for v in (outcome.accuracy, outcome.gmacs) if v is not None] or None
            state = optuna.trial.TrialState.COMPLETE if values else optuna.trial.TrialState.FAIL
            params = {
                f"{group} {axis}": size
                for group, pair in outcome.plan.sizes.items()
                for axis, size in zip("vh", pair, strict=True)
            }
            generation = outcome.number // _POPULATION
            study.add_trial(
                optuna.trial.create_trial(
                    state=state,
                    params=params,
                    distributions=self._distributions(),
                    values=values,
                    system_attrs={"NSGAIISampler:generation": generation},
                )
            )
        return study

    def _distributions(self) -> dict[str, optuna.distributions.BaseDistribution]:
        return {
            f"{choice.group} {axis}": optuna.distributions.IntDistribution(
                min(max(least, (human + 1) // 2), greatest),
                max(min(greatest, 2 * human), least),
                log=True,
            )
            for choice in self.question.choices
            for axis, least, human, greatest in zip(
                "vh", choice.least, choice.human, choice.greatest, strict=True
            )
        }
