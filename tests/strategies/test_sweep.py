"""λ covers its range, then goes where the front is thin and near the budget."""

from __future__ import annotations

import logging
import math
import warnings
from dataclasses import replace
from itertools import pairwise

import pytest

from resnas.catalog import strategies
from resnas.results import Plan
from resnas.strategies._base import AbstractStrategy, Outcome, Question

ONE = Question(1e-2, 1e2, ("dynopool",), budget_gmacs=0.02, trials=16, seed=3)
TWO = Question(1e-2, 1e2, ("dynopool", "diffstride"), budget_gmacs=0.02, trials=16, seed=3)


def trained(number: int, plan: Plan) -> Outcome:
    """A steep, smooth curve: most of the range of λ costs the most or the least."""
    better = 1.2 if plan.resizer == "diffstride" else 1.0
    gmacs = 0.004 + 0.1 / (1 + (plan.lam / 2) ** 3) * better
    return Outcome(number, plan, 0.7 + 0.25 * (1 - math.exp(-gmacs / 0.02)), gmacs)


def played(strategy: AbstractStrategy, failing: frozenset[int] = frozenset()) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for number in range(strategy.question.trials):
        plan = strategy.suggest(number, outcomes)
        outcome = trained(number, plan)
        outcomes.append(Outcome(number, plan, None, None) if number in failing else outcome)
    return outcomes


def plans(outcomes: list[Outcome]) -> list[Plan]:
    return [outcome.plan for outcome in outcomes]


def _lam(lam: float) -> Plan:
    return Plan(resizer="dynopool", lam=lam)


def test_every_resizer_is_tried_over_the_range():
    for name in TWO.resizers:
        lams = [p.lam for p in plans(played(strategies["sweep"](TWO))) if p.resizer == name]
        assert min(lams) < 1 < max(lams)


def test_no_lam_is_proposed_twice_for_a_resizer():
    for question in (ONE, TWO):
        for name in question.resizers:
            found = plans(played(strategies["sweep"](question), failing=frozenset({0, 8, 11})))
            lams = sorted(p.lam for p in found if p.resizer == name)
            assert all(high / low > 1.0099 for low, high in pairwise(lams))


def test_trials_that_run_at_the_same_time_differ():
    strategy = strategies["sweep"](ONE)
    outcomes = played(strategy)[:8]
    together = [strategy.suggest(number, outcomes) for number in range(8, 14)]
    lams = sorted(plan.lam for plan in together)
    assert all(high / low > 1.0099 for low, high in pairwise(lams))


def test_a_search_in_which_nothing_completes_still_covers_the_range():
    found = plans(played(strategies["sweep"](ONE), failing=frozenset(range(ONE.trials))))
    lams = sorted(p.lam for p in found)
    assert lams[0] < 0.1
    assert lams[-1] > 10


@pytest.mark.parametrize("trials", [1, 2, 3, 5])
def test_short_searches_are_possible(trials):
    question = Question(1e-2, 1e2, TWO.resizers, 0.02, trials, 0)
    assert (
        len({p.model_dump_json() for p in plans(played(strategies["sweep"](question)))}) == trials
    )


def test_a_range_of_a_single_lam_is_possible():
    question = Question(1.0, 1.0, ("dynopool",), 0.02, 6, 0)
    assert {p.lam for p in plans(played(strategies["sweep"](question)))} == {1.0}


def test_a_sweep_comes_nearer_to_the_budget_than_an_even_spread():
    def distance(outcomes: list[Outcome]) -> float:
        return min(abs(math.log(o.gmacs / ONE.budget_gmacs)) for o in outcomes)

    def largest_gap(outcomes: list[Outcome]) -> float:
        costs = sorted(math.log(o.gmacs) for o in outcomes)
        return max(high - low for low, high in pairwise(costs))

    even = [trained(i, _lam(10 ** (-2 + 4 * i / (ONE.trials - 1)))) for i in range(ONE.trials)]
    swept = played(strategies["sweep"](ONE))
    assert distance(swept) < 0.2 * distance(even)
    assert largest_gap(swept) < 0.6 * largest_gap(even)


def test_a_budget_beyond_all_trials_moves_lam_towards_it():
    strategy = strategies["sweep"](ONE)
    dear = [trained(n, _lam(0.1 * (n + 1))) for n in range(8)]
    assert strategy.suggest(9, dear).lam > 0.8
    cheap = [trained(n, _lam(5.0 * (n + 1))) for n in range(8)]
    assert strategy.suggest(9, cheap).lam < 5.0


def test_the_strategy_leaves_logging_and_warnings_alone(capfd):
    level = logging.getLogger("optuna").level
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        played(strategies["sweep"](TWO))
    assert logging.getLogger("optuna").level == level
    assert capfd.readouterr() == ("", "")


OPEN = replace(TWO, opened={"lr": (0.01, 1.0), "mixup": (0.0, 0.4), "epochs": (3, 9)})


def test_opened_settings_are_drawn_within_their_range_and_go_with_what_is_aimed_from():
    found = plans(played(strategies["sweep"](OPEN)))
    assert all(set(plan.training) == {"lr", "mixup", "epochs"} for plan in found)
    assert all(0.01 <= plan.training["lr"] <= 1.0 for plan in found)
    assert all(plan.training["epochs"] in range(3, 10) for plan in found)
    first = [plan.training["lr"] for plan in found[:8]]
    assert len(set(first)) == 8
    assert min(first) < 0.1 < max(first)
    settings = [plan.training for plan in found]
    assert any(one in settings[:8] for one in settings[8:])


def test_without_opened_settings_the_trainings_are_the_jobs_own():
    assert all(plan.training == {} for plan in plans(played(strategies["sweep"](TWO))))
