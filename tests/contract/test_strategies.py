from __future__ import annotations

import json
import math
import random
import subprocess
import sys
from collections.abc import Mapping

import pytest

from resnas.catalog import controllers, resizers, strategies
from resnas.results import Plan, Size
from resnas.spec import TrainingSpec
from resnas.strategies._base import AbstractStrategy, Choice, Outcome, Question


def gmacs_of(sizes: Mapping[str, Size]) -> float:
    return sum(1e-4 * v * h for v, h in sizes.values())


ONE = Question(
    1e-2,
    1e2,
    ("dynopool",),
    budget_gmacs=0.02,
    trials=16,
    seed=3,
    min_gmacs=0.005,
    max_gmacs=0.04,
    human_gmacs=0.032,
    training=TrainingSpec(lr=0.1, weight_decay=0.0),
    choices=(
        Choice("first", (2, 2), (16, 16), (64, 64)),
        Choice("second", (2, 2), (8, 8), (32, 32)),
    ),
    gmacs=gmacs_of,
)
TWO = Question(**(vars(ONE) | {"resizers": ("dynopool", "diffstride")}))


def trained(number: int, plan: Plan) -> Outcome:
    """What a plan costs: by λ, as it asks for, or as its sizes do; the more, the more accurate."""
    better = 1.2 if plan.resizer == "diffstride" else 1.0
    if plan.lam is not None:
        gmacs = 0.004 + 0.1 / (1 + (plan.lam / 2) ** 3) * better
    elif plan.picture is not None:
        gmacs = 0.032 * math.prod(plan.picture) / 32**2
    else:
        gmacs = plan.budget_gmacs or gmacs_of(plan.sizes)
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


@pytest.fixture(params=strategies.names())
def entry(request: pytest.FixtureRequest) -> type[AbstractStrategy]:
    return strategies[request.param]


@pytest.mark.parametrize("question", [ONE, TWO])
def test_the_same_question_and_outcomes_give_the_same_plans(entry, question):
    assert plans(played(entry(question))) == plans(played(entry(question)))


def test_the_order_of_the_outcomes_does_not_matter(entry):
    outcomes = played(entry(TWO), failing=frozenset({4}))
    for number in range(TWO.trials):
        before = outcomes[:number]
        shuffled = random.Random(number).sample(before, len(before))
        assert entry(TWO).suggest(number, shuffled) == entry(TWO).suggest(number, before)


def test_a_resumed_search_proposes_what_an_undisturbed_one_did(entry):
    outcomes = played(entry(TWO))
    resumed = entry(TWO)
    for number, outcome in enumerate(outcomes):
        assert resumed.suggest(number, outcomes[:number]) == outcome.plan


@pytest.mark.parametrize("question", [ONE, TWO])
def test_every_plan_can_be_run(entry, question):
    for number, plan in enumerate(plans(played(entry(question), failing=frozenset({1, 9})))):
        assert plan.controller in controllers
        assert plan.resizer in (*question.resizers, "strided")
        assert plan.resizer in resizers
        TrainingSpec.model_validate(question.training.model_dump() | plan.training)
        assert plan.start is None or 0 <= plan.start < number
        assert Plan.model_validate_json(plan.model_dump_json()) == plan
        if plan.lam is not None:
            assert question.lam_min <= plan.lam <= question.lam_max
        aimed = [gmacs for gmacs in (plan.budget_gmacs, *(plan.span or ())) if gmacs is not None]
        assert all(0.999 * 0.005 <= gmacs <= 1.001 * 0.04 for gmacs in aimed)


def test_what_it_lands_on_is_announced(entry):
    strategy = entry(ONE)
    landed = {p.budget_gmacs for p in plans(played(strategy)) if p.budget_gmacs is not None}
    assert landed <= set(strategy.budgets())


def test_no_two_trials_are_alike(entry):
    found = plans(played(entry(ONE)))
    if entry.__name__ != "Budget":  # whose trials differ by their seeds alone
        assert len({plan.model_dump_json() for plan in found}) == len(found)


@pytest.mark.parametrize("trials", [1, 2, 3, 5])
def test_short_searches_are_possible(entry, trials):
    assert len(played(entry(Question(**(vars(TWO) | {"trials": trials}))))) == trials


def test_it_takes_a_number_of_trials_where_nobody_says(entry):
    assert 1 <= entry.usual_trials(1) <= entry.usual_trials(3) <= 16


def test_listing_strategies_does_not_import_optuna():
    program = (
        "import json, sys; from resnas.catalog import strategies; import resnas.strategies._base;"
        "print(json.dumps([strategies.names(), 'optuna' in sys.modules]))"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    names, imported = json.loads(output.stdout)
    assert "sweep" in names
    assert imported is False
