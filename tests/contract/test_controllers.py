"""What every controller owes, whatever file it is in."""

from __future__ import annotations

import itertools
import json
import pickle
from pathlib import Path

import pytest
import torch

from resnas.catalog import controllers
from resnas.datasets._base import load
from resnas.errors import InvalidSpec, UnreachableBudget
from resnas.results import Phase, Plan, TrialResult, TrialState
from resnas.spec import TrainingSpec
from resnas.trainer import Trainer
from resnas.trial import build_space, with_recipe

BUDGET = 0.008
"""GMACs; vgg_small as its authors made it costs 0.0108 on digits."""

PLANS = {
    "conditional": {"budget_gmacs": BUDGET, "span": (0.004, 0.016)},
    "dual": {"budget_gmacs": BUDGET},
    "fixed": {"budget_gmacs": BUDGET},
    "penalty": {"lam": 60.0},
    "projection": {"budget_gmacs": BUDGET},
}
"""A plan for each: a new controller says here what it is to be tested with."""

ON_BUDGET = [name for name, plan in PLANS.items() if "budget_gmacs" in plan]
PHASES = (Phase.WARMUP, Phase.SEARCH, Phase.SEARCH, Phase.SETTLE, Phase.SETTLE)
KINDS = ("max", "spectral", "strided")
"""Resizers that learn no size."""


@pytest.fixture(scope="module")
def digits():
    """The first 128 training samples: enough to learn from, few enough to be quick."""
    dataset = load("digits", Path())
    first = torch.arange(128)
    dataset.train = dataset.train.subset(first)
    dataset.val = dataset.val.subset(first[:50])
    return dataset


@pytest.fixture(params=controllers.names())
def name(request):
    return request.param


def _space(digits, resizer="dynopool"):
    torch.manual_seed(0)
    return build_space("vgg_small", 10, digits.input_size, resizer)


def _controller(name, digits, resizer="dynopool", **changes):
    plan = Plan(resizer=resizer, controller=name, **{**PLANS[name], **changes})
    return controllers[name](_space(digits, resizer), plan)


def _trainer(name, digits, *, checkpoint=None, resizer="dynopool", **settings):
    controller = _controller(name, digits, resizer)
    settings = {"epochs": 5, "warmup": 0.2, "settle": 0.4, "arch_lr": 0.3, **settings}
    training = with_recipe(TrainingSpec(**settings), "vgg_small")
    return Trainer(controller.space, digits, controller, training, seed=3, checkpoint=checkpoint)


def _same_time(metrics):
    return metrics.model_copy(update={"seconds": 0.0})


def _copies(tensors):
    return [tensor.detach().clone() for tensor in tensors]


def _equal(some, others):
    return all(torch.equal(a, b) for a, b in zip(some, others, strict=True))


def test_every_controller_has_a_plan_to_be_tested_with():
    assert sorted(PLANS) == sorted(controllers.names())


def test_a_controller_interrupted_in_every_phase_ends_as_undisturbed_to_the_bit(
    name, digits, tmp_path
):
    whole = _trainer(name, digits, mixup=0.2)
    expected = [_same_time(metrics) for metrics in whole.train()]
    found = []
    for _ in PHASES:
        trainer = _trainer(name, digits, mixup=0.2, checkpoint=tmp_path / "trial.pt")
        found.append(_same_time(next(trainer.train())))
    assert found == expected
    mine, theirs = trainer.space.state_dict(), whole.space.state_dict()
    assert all(torch.equal(mine[key], theirs[key]) for key in theirs)
    assert trainer.controller.learned() == whole.controller.learned()


def test_sizes_are_learned_in_the_search_and_nowhere_else(name, digits):
    trainer = _trainer(name, digits)
    controller = trainer.controller
    phases, moved, sizes = [], [], []
    before = _copies(controller.parameters())
    for metrics in trainer.train():
        after = _copies(controller.parameters())
        phases.append(metrics.phase)
        moved.append(not _equal(before, after))
        sizes.append((metrics.sizes, metrics.strides))
        before = after
    if not controller.learns:
        assert set(phases) == {Phase.SETTLE}
        assert not any(moved)
        assert all(there == sizes[0] for there in sizes)
        return
    assert tuple(phases) == PHASES
    assert moved[:3] == [phase is Phase.SEARCH for phase in PHASES[:3]]
    assert not moved[4]
    assert sizes[3] == sizes[4], "once landed, what is fixed stays fixed"


def test_the_cost_ends_within_the_range_and_below_the_human_design(name, digits):
    trainer = _trainer(name, digits, epochs=3, warmup=0, settle=0.34)
    *_, last = trainer.train()
    low, high = trainer.space.range("macs")
    assert low <= last.gmacs * 1e9 <= high
    assert last.gmacs < trainer.space.human_cost("macs") / 1e9


@pytest.mark.parametrize("settle", [0.0, 0.4])
@pytest.mark.parametrize("name", ON_BUDGET)
def test_a_budget_is_never_exceeded_and_nearly_met(name, settle, digits):
    """With no epoch to settle in as well: what is learned lands behind the last one."""
    trainer = _trainer(name, digits, epochs=3, warmup=0.0, settle=settle)
    *_, last = trainer.train()
    assert 0.99 * BUDGET <= last.gmacs <= BUDGET
    assert round(last.gmacs * 1e9) == int(trainer.space.cost("macs").detach())


def test_what_was_learned_survives_json(name, digits):
    trainer = _trainer(name, digits, epochs=2, warmup=0.0, settle=0.0)
    assert len(list(trainer.train())) == 2
    learned = trainer.controller.learned()
    assert json.loads(json.dumps(learned)) == learned
    result = TrialResult(
        **trainer.controller.plan.model_dump(),
        number=0,
        seed=0,
        state=TrialState.COMPLETE,
        learned=learned,
    )
    assert TrialResult.model_validate_json(result.model_dump_json()) == result


def test_a_state_written_into_a_fresh_controller_makes_it_the_same(name, digits):
    trainer = _trainer(name, digits, epochs=2, warmup=0.0, settle=0.0)
    list(trainer.train())
    trained, fresh = trainer.controller, _controller(name, digits)
    state = trained.state()
    assert fresh.state().keys() == state.keys()
    assert not state or not _equal(fresh.state().values(), state.values()), "or nothing was learned"
    for key, tensor in fresh.state().items():
        tensor.copy_(state[key])
    assert _equal(fresh.state().values(), state.values())
    assert fresh.learned() == trained.learned()


@pytest.mark.parametrize("name", sorted(PLANS.keys() - set(ON_BUDGET)))
def test_without_a_budget_the_sizes_of_the_plan_are_those_it_begins_with(name, digits):
    controller = _controller(name, digits, sizes={"pool1": (13, 11)})
    assert controller.space.sizes()["pool1"] == (13, 11)


def _refusal(name, digits, resizer="dynopool", **changes):
    with pytest.raises(InvalidSpec) as refused:
        _controller(name, digits, resizer, **changes)
    assert refused.value.place
    assert refused.value.next_step
    return refused.value


@pytest.mark.parametrize("name", ["projection", "conditional", "dual"])
def test_without_a_budget_it_says_which_field_is_missing(name, digits):
    error = _refusal(name, digits, budget_gmacs=None)
    assert error.place == "budget_gmacs"
    assert "budget_gmacs" in error.next_step


def test_milliseconds_are_refused_with_the_controller_that_serves(digits):
    error = _refusal("projection", digits, budget_gmacs=None, budget_ms=1.0)
    assert "'dual'" in error.next_step


def test_a_penalty_without_its_weight_is_refused(digits):
    error = _refusal("penalty", digits, lam=None)
    assert error.place == "lam"


@pytest.mark.parametrize("span", [None, (0.009, 0.016), (0.002, 0.007), (0.016, 0.004), (0.0, 0.1)])
def test_a_span_that_does_not_hold_the_budget_is_refused(span, digits):
    error = _refusal("conditional", digits, span=span)
    assert error.place == "span"


@pytest.mark.parametrize("resizer", KINDS)
@pytest.mark.parametrize("name", ["projection", "conditional", "fixed"])
def test_a_resizer_that_learns_no_size_is_refused(name, resizer, digits):
    error = _refusal(name, digits, resizer)
    assert error.place == f"resizer {resizer}"
    assert "dynopool" in error.next_step


@pytest.mark.parametrize("name", ["projection", "conditional", "fixed"])
def test_a_budget_below_reach_names_the_smallest_there_is(name, digits):
    low, _ = _space(digits).range()
    span = {"span": (0.0001, 0.01)} if name == "conditional" else {}
    error = _refusal(name, digits, budget_gmacs=0.0001, **span)
    assert isinstance(error, UnreachableBudget)
    assert error.below is None
    assert error.above == pytest.approx(low / 1e9)
    assert f"{low / 1e9:.6g}" in error.next_step


@pytest.mark.parametrize("name", ["projection", "conditional", "fixed"])
def test_a_budget_above_reach_names_the_largest_there_is(name, digits):
    _, high = _space(digits).range()
    span = {"span": (0.004, 9.0)} if name == "conditional" else {}
    error = _refusal(name, digits, budget_gmacs=9.0, **span)
    assert isinstance(error, UnreachableBudget)
    assert error.below == pytest.approx(high / 1e9)
    assert error.above is None
    assert f"{high / 1e9:.6g}" in error.next_step


def test_a_budget_that_no_learned_lambda_can_come_down_to_is_refused(digits):
    low, _ = _space(digits).range()
    error = _refusal("dual", digits, budget_gmacs=0.0001)
    assert error.place == "budget_gmacs"
    assert f"{low / 1e9:.4g}" in error.found


@pytest.mark.parametrize(("below", "above"), [(0.5, 0.7), (None, 0.7), (0.5, None), (None, None)])
def test_an_unreachable_budget_travels_between_processes_unchanged(below, above):
    error = UnreachableBudget(0.6, below=below, above=above)
    found = pickle.loads(pickle.dumps(error))
    assert (type(found), found.args, vars(found)) == (type(error), error.args, vars(error))
    assert str(found) == str(error)


def test_a_fixed_trial_takes_over_what_one_network_learned_of_all_budgets(digits):
    trainer = _trainer("conditional", digits, epochs=2, warmup=0.0, settle=0.0)
    list(trainer.train())
    conditional = trainer.controller
    before = TrialResult(
        **conditional.plan.model_dump(),
        number=0,
        seed=0,
        state=TrialState.COMPLETE,
        learned=json.loads(json.dumps(conditional.learned())),
    )
    plan = Plan(resizer="dynopool", controller="fixed", budget_gmacs=BUDGET)
    fixed = controllers["fixed"](_space(digits), plan, before)
    assert fixed.space.sizes() == conditional.space.sizes()
    costs = []
    for budget in (0.0045, 0.006, 0.0159):
        other = plan.model_copy(update={"budget_gmacs": budget})
        costs.append(int(controllers["fixed"](_space(digits), other, before).space.cost().detach()))
        assert 0.99 * budget <= costs[-1] / 1e9 <= budget
    assert all(a < b for a, b in itertools.pairwise(costs))
