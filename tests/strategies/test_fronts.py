"""Strategies that go over a front: where their trials stand, and what they begin with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from resnas.catalog import strategies
from resnas.strategies._base import Outcome
from tests.contract.test_strategies import ONE, plans, played, trained

NINE = replace(ONE, trials=9)


def test_amortized_trains_one_network_and_lets_its_points_settle():
    shared, *points = plans(played(strategies["amortized"](NINE)))
    assert (shared.controller, shared.span, shared.budget_gmacs) == (
        "conditional",
        (0.005, 0.04),
        0.02,
    )
    assert all((point.controller, point.start) == ("fixed", 0) for point in points)
    assert all(point.training["epochs"] <= 0.25 * NINE.training.epochs for point in points)
    costs = [point.budget_gmacs for point in points]
    assert costs[0] == NINE.budget_gmacs  # the job's own comes first
    assert len(costs) == 8
    assert (min(costs), max(costs)) == pytest.approx((0.005, 0.04))


def test_continue_goes_down_the_front_from_trial_to_trial():
    found = plans(played(strategies["continue"](NINE)))
    costs = [plan.budget_gmacs for plan in found]
    assert costs == sorted(costs, reverse=True)
    assert [plan.start for plan in found] == [None, *range(8)]
    assert found[0].training == {}
    assert found[1].training["epochs"] < NINE.training.epochs


def test_continue_begins_anew_behind_a_failure():
    strategy = strategies["continue"](NINE)
    first = strategy.suggest(0, [])
    assert strategy.suggest(1, [Outcome(0, first, None, None)]).start is None
    assert strategy.suggest(1, [trained(0, first)]).start == 0
    assert strategy.suggest(1, []).start == 0  # it is still running


def test_budget_is_one_training_for_each_resizer():
    assert strategies["budget"].usual_trials(2) == 2
    two = replace(ONE, resizers=("dynopool", "diffstride"), trials=2)
    found = plans(played(strategies["budget"](two)))
    assert [plan.resizer for plan in found] == ["dynopool", "diffstride"]
    assert {plan.budget_gmacs for plan in found} == {0.02}


def test_a_budget_in_milliseconds_learns_its_lam():
    strategy = strategies["budget"](replace(ONE, budget_ms=3.0))
    plan = strategy.suggest(0, [])
    assert (plan.controller, plan.budget_ms, plan.budget_gmacs) == ("dual", 3.0, None)
    assert strategy.budgets() == []


def test_input_resolution_scales_the_human_network_and_is_never_above():
    found = plans(played(strategies["input_resolution"](NINE)))
    assert all(plan.resizer == "strided" for plan in found)
    heights = [height for height, _ in (plan.picture for plan in found)]
    assert heights[0] == int(32 * (0.02 / 0.032) ** 0.5), "the job's own budget comes first"
    assert min(heights) == int(32 * (0.005 / 0.032) ** 0.5)
    assert max(heights) == int(32 * (0.04 / 0.032) ** 0.5)


def test_random_sizes_differ_in_their_proportions_and_cover_the_front():
    found = plans(played(strategies["random_sizes"](NINE)))
    assert len({plan.sizes["first"] for plan in found}) > 5
    costs = [plan.budget_gmacs for plan in found]
    assert (min(costs), max(costs)) == pytest.approx((0.005, 0.04))


def test_evolution_stays_on_the_front_and_learns_from_what_was_best():
    strategy = strategies["nsga2"](replace(ONE, trials=40))
    found = played(strategy)
    assert all(0.005 <= outcome.gmacs <= 0.04 for outcome in found)
    assert all(8 <= n <= 32 for outcome in found for n in outcome.plan.sizes["first"])
    firsts = [outcome.plan.sizes["first"] for outcome in found]
    assert any(size in firsts[:8] for size in firsts[8:])  # handed down
