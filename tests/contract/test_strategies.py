from __future__ import annotations

import json
import logging
import math
import random
import subprocess
import sys
import warnings
from itertools import pairwise

import pytest

from resnas.catalog import strategies
from resnas.strategies._base import AbstractStrategy, Outcome, Proposal, Question

ONE = Question(1e-2, 1e2, ("dynopool",), budget_gmacs=0.02, trials=16, seed=3)
TWO = Question(1e-2, 1e2, ("dynopool", "diffstride"), budget_gmacs=0.02, trials=16, seed=3)


def trained(number: int, proposal: Proposal) -> Outcome:
    """A steep, smooth curve: most of the range of λ costs the most or the least."""
    better = 1.2 if proposal.resizer == "diffstride" else 1.0
    gmacs = 0.004 + 0.1 / (1 + (proposal.lam / 2) ** 3) * better
    return Outcome(number, proposal, 0.7 + 0.25 * (1 - math.exp(-gmacs / 0.02)), gmacs)


def played(strategy: AbstractStrategy, failing: frozenset[int] = frozenset()) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for number in range(strategy.question.trials):
        proposal = strategy.suggest(number, outcomes)
        outcome = trained(number, proposal)
        outcomes.append(Outcome(number, proposal, None, None) if number in failing else outcome)
    return outcomes


def proposals(outcomes: list[Outcome]) -> list[Proposal]:
    return [outcome.proposal for outcome in outcomes]


@pytest.fixture(params=strategies.names())
def entry(request: pytest.FixtureRequest) -> type[AbstractStrategy]:
    return strategies[request.param]


@pytest.mark.parametrize("question", [ONE, TWO])
def test_proposals_stay_within_the_question(entry, question):
    for proposal in proposals(played(entry(question), failing=frozenset({1, 9}))):
        assert question.lam_min <= proposal.lam <= question.lam_max
        assert proposal.resizer in question.resizers


@pytest.mark.parametrize("question", [ONE, TWO])
def test_the_same_question_and_outcomes_give_the_same_proposals(entry, question):
    assert proposals(played(entry(question))) == proposals(played(entry(question)))


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
        assert resumed.suggest(number, outcomes[:number]) == outcome.proposal


def test_every_resizer_is_tried_over_the_range(entry):
    for name in TWO.resizers:
        lams = [p.lam for p in proposals(played(entry(TWO))) if p.resizer == name]
        assert min(lams) < 1 < max(lams)


def test_no_lam_is_proposed_twice_for_a_resizer(entry):
    for question in (ONE, TWO):
        for name in question.resizers:
            found = proposals(played(entry(question), failing=frozenset({0, 8, 11})))
            lams = sorted(p.lam for p in found if p.resizer == name)
            assert all(high / low > 1.0099 for low, high in pairwise(lams))


def test_trials_that_run_at_the_same_time_differ(entry):
    strategy = entry(ONE)
    outcomes = played(strategy)[:8]
    together = [strategy.suggest(number, outcomes) for number in range(8, 14)]
    lams = sorted(proposal.lam for proposal in together)
    assert all(high / low > 1.0099 for low, high in pairwise(lams))


def test_a_search_in_which_nothing_completes_still_covers_the_range(entry):
    found = proposals(played(entry(ONE), failing=frozenset(range(ONE.trials))))
    lams = sorted(p.lam for p in found)
    assert lams[0] < 0.1
    assert lams[-1] > 10


@pytest.mark.parametrize("trials", [1, 2, 3, 5])
def test_short_searches_are_possible(entry, trials):
    question = Question(1e-2, 1e2, TWO.resizers, 0.02, trials, 0)
    assert len(set(proposals(played(entry(question))))) == trials


def test_a_range_of_a_single_lam_is_possible(entry):
    question = Question(1.0, 1.0, ("dynopool",), 0.02, 6, 0)
    assert {p.lam for p in proposals(played(entry(question)))} == {1.0}


def test_a_sweep_comes_nearer_to_the_budget_than_an_even_spread():
    def distance(outcomes: list[Outcome]) -> float:
        return min(abs(math.log(o.gmacs / ONE.budget_gmacs)) for o in outcomes)

    def largest_gap(outcomes: list[Outcome]) -> float:
        costs = sorted(math.log(o.gmacs) for o in outcomes)
        return max(high - low for low, high in pairwise(costs))

    even = [
        trained(i, Proposal(10 ** (-2 + 4 * i / (ONE.trials - 1)), "dynopool"))
        for i in range(ONE.trials)
    ]
    swept = played(strategies["sweep"](ONE))
    assert distance(swept) < 0.2 * distance(even)
    assert largest_gap(swept) < 0.6 * largest_gap(even)


def test_a_budget_beyond_all_trials_moves_lam_towards_it():
    strategy = strategies["sweep"](ONE)
    dear = [trained(n, Proposal(0.1 * (n + 1), "dynopool")) for n in range(8)]
    assert strategy.suggest(9, dear).lam > 0.8
    cheap = [trained(n, Proposal(5.0 * (n + 1), "dynopool")) for n in range(8)]
    assert strategy.suggest(9, cheap).lam < 5.0


def test_the_strategy_leaves_logging_and_warnings_alone(capfd):
    level = logging.getLogger("optuna").level
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        played(strategies["sweep"](TWO))
    assert logging.getLogger("optuna").level == level
    assert capfd.readouterr() == ("", "")


def test_listing_strategies_does_not_import_optuna():
    program = (
        "import json, sys; from resnas.catalog import strategies; import resnas.strategies._base;"
        "print(json.dumps([strategies.names(), 'optuna' in sys.modules]))"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    names, imported = json.loads(output.stdout)
    assert "sweep" in names
    assert imported is False
