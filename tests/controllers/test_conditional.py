"""Conditional: sizes that follow the budget, one network that serves them all."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from resnas.controllers._following import Following
from resnas.controllers._onto import OnBudget
from resnas.controllers.conditional import Conditional
from resnas.relaxation import Relaxation
from resnas.results import Plan
from resnas.statistics import recalibrate
from tests.controllers.spaces import area_form, macs, small
from tests.reference import budget as reference

SHARES = (0.4, 0.8, 1.6)
"""Least, own and greatest budget, in networks as their authors made them."""


def _conditional(name="vgg_small"):
    space = small(name)
    low, own, high = (share * space.human_cost() / 1e9 for share in SHARES)
    plan = Plan(resizer="dynopool", controller="conditional", budget_gmacs=own, span=(low, high))
    return Conditional(space, plan)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["vgg_small", "resnet_small"])
def test_no_size_falls_while_the_budget_grows_and_all_are_on_budget(name, seed):
    onto = OnBudget(small(name))
    form = area_form(onto.space)
    rng = np.random.default_rng(seed)
    low = reference.area_cost(form, onto.relaxation.human) * rng.uniform(0.7, 1.0)
    following = Following(onto, (low, low * rng.uniform(1.5, 6)))
    with torch.no_grad():
        shape = following.base.shape
        following.base.add_(torch.from_numpy(rng.normal(scale=0.7, size=shape)))
        following.slope.add_(torch.from_numpy(rng.normal(scale=3, size=shape)))
    following.clip()
    assert following.slope.abs().max() > 0
    budgets = np.geomspace(*following.span, 25)
    sizes = [following.at(budget) for budget in budgets]
    assert [reference.area_cost(form, z) for z in sizes] == pytest.approx(budgets, rel=1e-9)
    assert (np.diff(sizes, axis=0) >= -1e-9 * sizes[0]).all()


def test_the_middle_of_the_span_is_what_the_base_says():
    onto = OnBudget(small("vgg_small"))
    following = Following(onto, (4e6, 16e6))
    assert [following.place(b) for b in (4e6, 8e6, 16e6)] == pytest.approx([-1, 0, 1])
    following.clip()
    with torch.no_grad():
        following.slope.copy_(torch.tensor([[0.2, 0.1], [-0.1, -0.2], [0.1, -0.1]]))
    middle = onto.coordinates(following.at(8e6))
    torch.testing.assert_close(middle, following.base.detach(), rtol=0, atol=1e-9)


def test_a_span_of_one_budget_has_no_slope():
    onto = OnBudget(small("vgg_small"))
    following = Following(onto, (8e6, 8e6))
    assert following.place(8e6) == 0
    with torch.no_grad():
        following.slope.fill_(1.0)
    following.clip()
    assert not following.slope.any()


def test_the_gradients_of_the_function_are_those_of_its_coordinates():
    onto = OnBudget(small("vgg_small"))
    following = Following(onto, (4e6, 16e6))
    parts = {16e6: 1.0, 4e6: -1.0, 8e6 * 2**0.5: 0.5}
    along = {b: torch.randn(3, 2, dtype=torch.float64) for b in parts}
    for budget, gradient in along.items():
        following.add_gradient(gradient, budget)
    torch.testing.assert_close(following.base.grad, sum(along.values()))
    torch.testing.assert_close(
        following.slope.grad, sum(parts[b] * gradient for b, gradient in along.items())
    )


def test_what_is_learned_is_found_again_in_another_space():
    following = _conditional()._following
    with torch.no_grad():
        following.base.add_(0.1 * torch.randn(3, 2, dtype=torch.float64))
        following.slope.add_(0.1 * torch.randn(3, 2, dtype=torch.float64))
    following.clip()
    again = Following.of(OnBudget(small("vgg_small")), following.learned())
    for budget in np.geomspace(*following.span, 5):
        assert again.at(budget) == pytest.approx(following.at(budget), rel=1e-12)


def test_every_step_is_on_a_budget_of_its_own():
    controller = _conditional()
    form = area_form(small("vgg_small"))
    low, high = (end * 1e9 for end in controller.plan.span)
    generator = torch.Generator().manual_seed(0)
    for _ in range(9):
        controller.before_step(generator)
        cost = reference.area_cost(form, Relaxation(controller.space).sizes())
        assert cost == pytest.approx(controller._at, rel=1e-5)
        assert low < cost < high


def test_budgets_are_drawn_evenly_in_logarithms():
    controller = _conditional()
    generator = torch.Generator().manual_seed(1)
    places = []
    for _ in range(120):
        controller.before_step(generator)
        places.append(controller._following.place(controller._at))
    counts, _ = np.histogram(places, bins=4, range=(-1, 1))
    assert counts.sum() == 120
    assert counts.min() >= 15, "30 each are expected"


def test_a_rest_brings_back_the_plans_budget():
    controller = _conditional()
    sizes = controller.space.sizes()
    controller.before_step(torch.Generator())
    assert controller.space.sizes() != sizes
    controller.rest()
    assert controller.space.sizes() == sizes
    assert 0.99 * controller.budget <= macs(controller.space) <= controller.budget


def _batches():
    torch.manual_seed(0)
    return [torch.randn(n, 3, 6, 5) * (n + 1) + n for n in (8, 4, 16)]


def test_recalibrated_statistics_are_plain_means_over_the_batches():
    norm = nn.BatchNorm2d(3, momentum=0.3)
    norm.running_mean.fill_(7.0)
    recalibrate(nn.Sequential(norm), _batches())
    pixels = [b.double().numpy().transpose(1, 0, 2, 3).reshape(3, -1) for b in _batches()]
    mean = np.mean([p.mean(axis=1) for p in pixels], axis=0)
    variance = np.mean([p.var(axis=1, ddof=1) for p in pixels], axis=0)
    assert norm.running_mean.numpy() == pytest.approx(mean, rel=1e-5)
    assert norm.running_var.numpy() == pytest.approx(variance, rel=1e-5)
    assert norm.momentum == 0.3
    assert not norm.training


def test_recalibration_changes_nothing_but_the_statistics():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.Dropout(0.5),
        nn.Conv2d(4, 4, 3),
        nn.BatchNorm2d(4),
    ).train()
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    recalibrate(network, _batches())
    assert all(torch.equal(before[name], p) for name, p in network.named_parameters())
    assert not any(module.training for module in network.modules())
    with torch.no_grad():  # a later norm sees what the one before it gives in training, undropped
        first = nn.Sequential(network[0], copy.deepcopy(network[1]).train(), network[3])
        means = [first(batch).mean((0, 2, 3)) for batch in _batches()]
    torch.testing.assert_close(network[4].running_mean, torch.stack(means).mean(0))


def test_recalibration_again_forgets_what_was_there():
    norm = nn.BatchNorm2d(3)
    recalibrate(norm, _batches())
    once = norm.running_mean.clone()
    recalibrate(norm, [batch * 5 for batch in _batches()])
    recalibrate(norm, _batches())
    assert torch.equal(norm.running_mean, once)
