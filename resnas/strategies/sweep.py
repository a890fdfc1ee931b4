"""A sweep over λ: first the whole range, then where the front is thin and near the budget."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, pairwise

import numpy as np
import optuna

from resnas.strategies._base import AbstractStrategy, Outcome, Proposal, Question

_DUPLICATE = math.log(1.01)  # two λ closer than 1 % are the same trial
_ATTEMPTS = 8  # of TPE, before its proposals count as exhausted


class Sweep(AbstractStrategy):
    """Traces the accuracy-GMACs front with one λ a trial.

    The first half of the trials (four at least) spreads evenly over log λ, coarse to fine, with
    the resizers in turn. Later trials take turns: one halves the front's largest gap in log GMACs,
    one aims at the budget, one is Optuna's multi-objective TPE (Ozaki et al., 2022). λ for a
    target in GMACs is interpolated, log against log, between the trials on both sides of it. A λ
    within 1 % of an earlier one of the same resizer is never proposed: the next candidate is.

    Trials that did not complete teach nothing but that they have been tried.
    """

    def __init__(self, question: Question) -> None:
        super().__init__(question)
        self.spread = min(question.trials, max(4, math.ceil(question.trials / 2)))

    def suggest(self, number: int, outcomes: Sequence[Outcome]) -> Proposal:
        """The trial `number` (from 0), given what earlier ones came to (in any order).

        Trials before `number` without an outcome are still running; what they would be, given the
        same outcomes, counts as tried.
        """
        known = sorted(outcomes, key=lambda outcome: outcome.number)
        ended = {outcome.number for outcome in known}
        tried = [outcome.proposal for outcome in known]
        for running in range(number):
            if running not in ended:
                tried.append(self._proposal(running, known, tried))
        return self._proposal(number, known, tried)

    def _proposal(
        self, number: int, known: Sequence[Outcome], tried: Sequence[Proposal]
    ) -> Proposal:
        if number < self.spread:
            return self._spread(number)
        turns = [self._gaps(known), self._budget(known), self._tpe(number, known)]
        first = (number - self.spread) % 3
        candidates = chain(*turns[first:], *turns[:first], self._holes(tried))
        return next(
            (one for one in candidates if not any(_same(one, other) for other in tried)),
            self._spread(number % self.spread),  # the range is exhausted to within 1 %
        )

    def _spread(self, number: int) -> Proposal:
        """Trial `number` of the first half: evenly spaced in log λ, coarse to fine."""
        names = self.question.resizers
        turn, which = divmod(number, len(names))
        count = len(range(which, self.spread, len(names)))
        share = 0.5 if count == 1 else _coarse_to_fine(count)[turn] / (count - 1)
        low, high = math.log(self.question.lam_min), math.log(self.question.lam_max)
        return self._at(low + share * (high - low), names[which])

    def _gaps(self, known: Sequence[Outcome]) -> Iterator[Proposal]:
        """The middles of the front's gaps in log GMACs, the largest gap first."""
        front = _front(known)
        gaps = sorted(pairwise(front), key=lambda pair: _gmacs(pair[0]) - _gmacs(pair[1]))
        for cheap, costly in gaps:
            middle = (_gmacs(cheap) + _gmacs(costly)) / 2
            for outcome in (costly, cheap):
                yield from self._aimed(middle, outcome.proposal.resizer, known)

    def _budget(self, known: Sequence[Outcome]) -> Iterator[Proposal]:
        """At the budget; first with the resizer that is most accurate within it."""
        target = math.log(self.question.budget_gmacs)
        best = dict.fromkeys(self.question.resizers, -1.0)
        for outcome in _completed(known):
            if _gmacs(outcome) <= target:
                name = outcome.proposal.resizer
                best[name] = max(best.get(name, -1.0), outcome.accuracy or 0.0)
        for name in sorted(self.question.resizers, key=lambda name: -best[name]):
            yield from self._aimed(target, name, known)

    def _tpe(self, number: int, known: Sequence[Outcome]) -> Iterator[Proposal]:
        """What Optuna's TPE proposes, seeded by (seed, number)."""
        for attempt in range(_ATTEMPTS):
            entropy = np.random.SeedSequence([self.question.seed, number, attempt])
            with _silent():
                study = self._study(known, int(entropy.generate_state(1)[0]))
                params = study.ask(self._distributions()).params
            resizer = params.get("resizer", self.question.resizers[0])
            yield self._at(math.log(params["lam"]), resizer)

    def _study(self, known: Sequence[Outcome], seed: int) -> optuna.Study:
        study = optuna.create_study(
            directions=["maximize", "minimize"],
            sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=2),
        )
        distributions = self._distributions()
        for outcome in known:
            proposal = self._at(math.log(outcome.proposal.lam), outcome.proposal.resizer)
            params = {"lam": proposal.lam, "resizer": proposal.resizer}
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
        if len(self.question.resizers) == 1:
            return {"lam": lam}
        resizer = optuna.distributions.CategoricalDistribution(self.question.resizers)
        return {"lam": lam, "resizer": resizer}

    def _holes(self, tried: Sequence[Proposal]) -> Iterator[Proposal]:
        """The middles of the largest holes between the λ tried, for each resizer."""
        ends = [math.log(self.question.lam_min), math.log(self.question.lam_max)]
        holes = []
        for name in self.question.resizers:
            own = (math.log(proposal.lam) for proposal in tried if proposal.resizer == name)
            holes += [(high - low, low, name) for low, high in pairwise(sorted([*ends, *own]))]
        for width, low, name in sorted(holes, reverse=True):
            yield self._at(low + width / 2, name)

    def _aimed(self, target: float, resizer: str, known: Sequence[Outcome]) -> Iterator[Proposal]:
        """λ that should cost `target` (log GMACs), from this resizer's completed trials."""
        own = sorted(
            (outcome for outcome in _completed(known) if outcome.proposal.resizer == resizer),
            key=lambda outcome: (_gmacs(outcome), outcome.number),
        )
        below = [outcome for outcome in own if _gmacs(outcome) <= target]
        above = [outcome for outcome in own if _gmacs(outcome) > target]
        if below and above:
            low, high = below[-1], above[0]
            share = (target - _gmacs(low)) / (_gmacs(high) - _gmacs(low))
            yield self._at(_log_lam(low) + share * (_log_lam(high) - _log_lam(low)), resizer)
        elif above:  # all too costly: λ between the cheapest's and the largest
            yield self._at((_log_lam(above[0]) + math.log(self.question.lam_max)) / 2, resizer)
        elif below:
            yield self._at((_log_lam(below[-1]) + math.log(self.question.lam_min)) / 2, resizer)

    def _at(self, log_lam: float, resizer: str) -> Proposal:
        """The proposal, with λ kept within its range."""
        lam = min(max(math.exp(log_lam), self.question.lam_min), self.question.lam_max)
        return Proposal(lam, resizer)


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


def _log_lam(outcome: Outcome) -> float:
    return math.log(outcome.proposal.lam)


def _same(one: Proposal, other: Proposal) -> bool:
    close = abs(math.log(one.lam) - math.log(other.lam)) < _DUPLICATE
    return close and one.resizer == other.resizer


@contextmanager
def _silent() -> Iterator[None]:
    """Optuna says nothing: it would log every study, though these live for one question."""
    logger = logging.getLogger("optuna")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
