"""A sweep over λ: first the whole range, then where the front is thin and near the budget."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import chain, pairwise
from typing import ClassVar

import numpy as np
import optuna

from resnas.results import Plan
from resnas.spec import TrainingSpec
from resnas.strategies._base import AbstractStrategy, Outcome, Question
from resnas.strategies._optuna import silent

_DUPLICATE = math.log(1.01)  # two λ closer than 1 % are the same trial
Settings = dict[str, float | int]
Opened = optuna.distributions.IntDistribution | optuna.distributions.FloatDistribution
_ATTEMPTS = 8  # of TPE, before its plans count as exhausted


class Sweep(AbstractStrategy):
    """Traces the accuracy-GMACs front with one λ a trial.

    The first half of the trials (four at least) spreads evenly over log λ, coarse to fine, with
    the resizers in turn. Later trials take turns: one halves the front's largest gap in log GMACs,
    one aims at the budget, one is Optuna's multi-objective TPE (Ozaki et al., 2022). λ for a
    target in GMACs is interpolated, log against log, between the trials on both sides of it. A λ
    within 1 % of an earlier one of the same resizer is never proposed: the next candidate is.

    Training settings that are opened are drawn at random for the first half; a later trial has
    those of the trial that it is aimed from, or TPE's.

    Trials that did not complete teach nothing but that they have been tried.
    """

    takes_resizers: ClassVar = True
    opens_training: ClassVar = True

    def __init__(self, question: Question) -> None:
        super().__init__(question)
        self.spread = min(question.trials, max(4, math.ceil(question.trials / 2)))
        self.opened = {
            name: _distribution(name, low, high) for name, (low, high) in question.opened.items()
        }

    def suggest(self, number: int, outcomes: Sequence[Outcome]) -> Plan:
        """The trial `number` (from 0), given what earlier ones came to (in any order).

        Trials before `number` without an outcome are still running; what they would be, given the
        same outcomes, counts as tried.
        """
        known = sorted(outcomes, key=lambda outcome: outcome.number)
        ended = {outcome.number for outcome in known}
        tried = [outcome.plan for outcome in known]
        for running in range(number):
            if running not in ended:
                tried.append(self._plan(running, known, tried))
        return self._plan(number, known, tried)

    def _plan(self, number: int, known: Sequence[Outcome], tried: Sequence[Plan]) -> Plan:
        if number < self.spread:
            return self._spread(number)
        turns = [self._gaps(known), self._budget(known), self._tpe(number, known)]
        first = (number - self.spread) % 3
        candidates = chain(*turns[first:], *turns[:first], self._holes(tried))
        return next(
            (one for one in candidates if not any(_same(one, other) for other in tried)),
            self._spread(number % self.spread),  # the range is exhausted to within 1 %
        )

    def _spread(self, number: int) -> Plan:
        """Trial `number` of the first half: evenly spaced in log λ, coarse to fine."""
        names = self.question.resizers
        turn, which = divmod(number, len(names))
        count = len(range(which, self.spread, len(names)))
        share = 0.5 if count == 1 else _coarse_to_fine(count)[turn] / (count - 1)
        low, high = math.log(self.question.lam_min), math.log(self.question.lam_max)
        return self._at(low + share * (high - low), names[which], self._drawn(number))

    def _drawn(self, number: int) -> Settings:
        """Opened settings for trial `number`, drawn evenly, in logarithms where that can be."""
        draws = np.random.default_rng([self.question.seed, number]).random(len(self.opened))
        found = {}
        for (name, distribution), draw in zip(self.opened.items(), draws, strict=True):
            low, high = distribution.low, distribution.high
            value = low * (high / low) ** draw if distribution.log else low + draw * (high - low)
            whole = isinstance(distribution, optuna.distributions.IntDistribution)
            found[name] = round(value) if whole else float(value)
        return found

    def _gaps(self, known: Sequence[Outcome]) -> Iterator[Plan]:
        """The middles of the front's gaps in log GMACs, the largest gap first."""
        front = _front(known)
        gaps = sorted(pairwise(front), key=lambda pair: _gmacs(pair[0]) - _gmacs(pair[1]))
        for cheap, costly in gaps:
            middle = (_gmacs(cheap) + _gmacs(costly)) / 2
            for outcome in (costly, cheap):
                yield from self._aimed(middle, outcome.plan.resizer, known)

    def _budget(self, known: Sequence[Outcome]) -> Iterator[Plan]:
        """At the budget; first with the resizer that is most accurate within it."""
        target = math.log(self.question.budget_gmacs)
        best = dict.fromkeys(self.question.resizers, -1.0)
        for outcome in _completed(known):
            if _gmacs(outcome) <= target:
                name = outcome.plan.resizer
                best[name] = max(best.get(name, -1.0), outcome.accuracy or 0.0)
        for name in sorted(self.question.resizers, key=lambda name: -best[name]):
            yield from self._aimed(target, name, known)

    def _tpe(self, number: int, known: Sequence[Outcome]) -> Iterator[Plan]:
        """What Optuna's TPE proposes, seeded by (seed, number)."""
        for attempt in range(_ATTEMPTS):
            entropy = np.random.SeedSequence([self.question.seed, number, attempt])
            with silent():
                study = self._study(known, int(entropy.generate_state(1)[0]))
                params = study.ask(self._distributions()).params
            resizer = params.get("resizer", self.question.resizers[0])
            settings = {name: params[name] for name in self.opened}
            yield self._at(math.log(params["lam"]), resizer, settings)

    def _study(self, known: Sequence[Outcome], seed: int) -> optuna.Study:
        study = optuna.create_study(
            directions=["maximize", "minimize"],
            sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=2),
        )
        distributions = self._distributions()
        for outcome in known:
            plan = self._at(_log_lam(outcome.plan), outcome.plan.resizer, {})
            params = {"lam": plan.lam, "resizer": plan.resizer, **outcome.plan.training}
            values = _values(outcome)
            state = optuna.trial.TrialState.COMPLETE if values else optuna.trial.TrialState.FAIL
            study.add_trial(
                optuna.trial.create_trial(
                    state=state,
                    params={name: params[name] for name in distributions},
                    distributions=distributions,
                    values=values,
                )
            )
        return study

    def _distributions(self) -> dict[str, optuna.distributions.BaseDistribution]:
        low, high = self.question.lam_min, self.question.lam_max
        lam = optuna.distributions.FloatDistribution(low, high, log=True)
        found: dict[str, optuna.distributions.BaseDistribution] = {"lam": lam, **self.opened}
        if len(self.question.resizers) > 1:
            names = self.question.resizers
            found["resizer"] = optuna.distributions.CategoricalDistribution(names)
        return found

    def _holes(self, tried: Sequence[Plan]) -> Iterator[Plan]:
        """The middles of the largest holes between the λ tried, for each resizer."""
        ends = [math.log(self.question.lam_min), math.log(self.question.lam_max)]
        holes = []
        for name in self.question.resizers:
            own = (_log_lam(plan) for plan in tried if plan.resizer == name)
            holes += [(high - low, low, name) for low, high in pairwise(sorted([*ends, *own]))]
        for width, low, name in sorted(holes, reverse=True):
            yield self._at(low + width / 2, name, self._drawn(len(tried)))

    def _aimed(self, target: float, resizer: str, known: Sequence[Outcome]) -> Iterator[Plan]:
        """λ that should cost `target` (log GMACs), from this resizer's completed trials."""
        own = sorted(
            (outcome for outcome in _completed(known) if outcome.plan.resizer == resizer),
            key=lambda outcome: (_gmacs(outcome), outcome.number),
        )
        below = [outcome for outcome in own if _gmacs(outcome) <= target]
        above = [outcome for outcome in own if _gmacs(outcome) > target]
        if below and above:
            low, high = below[-1], above[0]
            share = (target - _gmacs(low)) / (_gmacs(high) - _gmacs(low))
            ends = _log_lam(low.plan), _log_lam(high.plan)
            better = max(low, high, key=lambda one: (one.accuracy or 0.0, -one.number))
            yield self._at(ends[0] + share * (ends[1] - ends[0]), resizer, better.plan.training)
            return
        # all too costly: λ between the cheapest's and the largest; or the other way round
        nearest = above[:1] or below[-1:]
        limit = math.log(self.question.lam_max if above else self.question.lam_min)
        for one in nearest:
            yield self._at((_log_lam(one.plan) + limit) / 2, resizer, one.plan.training)

    def _at(self, log_lam: float, resizer: str, settings: Settings) -> Plan:
        """The plan, with λ kept within its range."""
        lam = min(max(math.exp(log_lam), self.question.lam_min), self.question.lam_max)
        return Plan(resizer=resizer, lam=lam, training=settings)


def _distribution(name: str, low: float, high: float) -> Opened:
    """What a setting of the training may be: whole where it is a count, in logarithms from 0 on."""
    if isinstance(getattr(TrainingSpec(), name), int):
        return optuna.distributions.IntDistribution(round(low), round(high), log=low > 0)
    return optuna.distributions.FloatDistribution(low, high, log=low > 0)


def _coarse_to_fine(count: int) -> list[int]:
    """0 .. count - 1: both ends, then the middles of what lies between, level by level."""
    order = [0, count - 1][:count]
    spans = [(0, count - 1)]
    for low, high in spans:  # grows while it is walked
        if high - low > 1:
            middle = (low + high) // 2
            order.append(middle)
            spans += [(low, middle), (middle, high)]
    return order


def _values(outcome: Outcome) -> tuple[float, float] | None:
    """(accuracy, gmacs) of a trial that completed."""
    if outcome.accuracy is None or outcome.gmacs is None:
        return None
    return (outcome.accuracy, outcome.gmacs)


def _completed(known: Sequence[Outcome]) -> list[Outcome]:
    return [one for one in known if _values(one)]


def _front(known: Sequence[Outcome]) -> list[Outcome]:
    """The completed trials that none beats in both accuracy and cost, cheapest first."""
    front: list[Outcome] = []
    by_cost = sorted(
        _completed(known), key=lambda one: (one.gmacs, -(one.accuracy or 0.0), one.number)
    )
    for outcome in by_cost:
        if not front or (outcome.accuracy or 0.0) > (front[-1].accuracy or 0.0):
            front.append(outcome)
    return front


def _gmacs(outcome: Outcome) -> float:
    """Logarithm of a completed trial's GMACs."""
    return math.log(outcome.gmacs or math.inf)


def _log_lam(plan: Plan) -> float:
    assert plan.lam is not None
    return math.log(plan.lam)


def _same(one: Plan, other: Plan) -> bool:
    close = abs(_log_lam(one) - _log_lam(other)) < _DUPLICATE
    return close and one.resizer == other.resizer and one.training == other.training
