"""Projection: on the budget at every step, along a gradient that keeps it there, within guards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from resnas.controllers._onto import OnBudget
from resnas.controllers.projection import Projection
from resnas.datasets._base import load
from resnas.relaxation import Relaxation
from resnas.results import Plan
from resnas.spec import TrainingSpec
from resnas.trainer import Trainer
from resnas.trial import build_space, with_recipe
from tests.controllers.spaces import area_form, macs, small
from tests.reference import budget as reference

NETWORKS = ("vgg_small", "resnet_small")


def _on_budget(share, name="vgg_small"):
    space = small(name)
    gmacs = share * space.human_cost() / 1e9
    return Projection(space, Plan(resizer="dynopool", budget_gmacs=gmacs))


def test_the_real_sizes_cost_the_budget_at_every_step_of_a_training(monkeypatch):
    digits = load("digits", Path())
    digits.train = digits.train.subset(torch.arange(192))
    torch.manual_seed(0)
    space = build_space("vgg_small", 10, digits.input_size, "dynopool")
    form = area_form(space)
    controller = Projection(space, Plan(resizer="dynopool", budget_gmacs=0.008))
    training = TrainingSpec(epochs=4, warmup=0, settle=0.25, batch_size=16, arch_lr=0.5)
    costs, shapes, after_step = [], [], controller.after_step

    def watched():
        after_step()
        sizes = controller.state()["sizes"].numpy().copy()
        costs.append(reference.area_cost(form, sizes))
        shapes.append(sizes)
        assert Relaxation(space).sizes() == pytest.approx(sizes, rel=1e-5), "the strides say so"

    monkeypatch.setattr(controller, "after_step", watched)
    *_, last = Trainer(space, digits, controller, with_recipe(training, "vgg_small")).train()
    assert len(costs) == 36
    assert costs == pytest.approx([8e6] * 36, rel=1e-9)
    assert np.abs(np.log(shapes[-1] / shapes[0])).max() > 0.02, "or no size was learned"
    assert 0.99 * 0.008 <= last.gmacs <= 0.008


def _pulled(onto, sizes, weights):
    """Strides' gradients of L = Σ weights · stride at real sizes; L of other sizes, as a function.

    What enters a leader counts as it is: a size's gradient is not chained through later ones.
    """
    onto.relaxation.apply(sizes)
    entering = onto.relaxation.entering()
    for group, weight in zip(onto.groups, weights, strict=True):
        group.stride.grad = torch.from_numpy(weight).to(group.stride)
    return lambda other: float((weights * entering / other).sum())


@pytest.mark.parametrize("share", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_gradient_is_that_of_sizes_solved_for_anew(name, share):
    onto = OnBudget(small(name))
    form = area_form(onto.space)
    relaxation = onto.relaxation
    budget = share * reference.area_cost(form, relaxation.human)
    rng = np.random.default_rng(0)
    noise = rng.uniform(-0.3, 0.3, relaxation.human.shape)
    start = torch.from_numpy(2 * (np.log(relaxation.human) + noise))
    sizes = onto.scaled(start, budget)
    coordinates = onto.coordinates(sizes)
    loss = _pulled(onto, sizes, rng.normal(size=sizes.shape))
    expected = reference.gradient(
        form, coordinates.numpy(), relaxation.low, relaxation.high, budget, loss
    )
    free = (sizes > relaxation.low) & (sizes < relaxation.high)
    found = onto.gradient(sizes).numpy()
    assert found[free] == pytest.approx(expected[free], rel=1e-4, abs=1e-6 * np.abs(expected).max())


def test_where_bounds_hold_sizes_the_others_alone_share_the_budget():
    onto = OnBudget(small("vgg_small"))
    relaxation, form = onto.relaxation, area_form(onto.space)
    sizes = relaxation.human.copy()
    sizes[2] = relaxation.low[2]
    budget = reference.area_cost(form, sizes)
    coordinates = 2 * np.log(sizes)
    coordinates[2] -= 1.0  # well beyond the bound
    loss = _pulled(onto, sizes, np.random.default_rng(1).normal(size=sizes.shape))
    expected = reference.gradient(form, coordinates, relaxation.low, relaxation.high, budget, loss)
    found = onto.gradient(sizes).numpy()
    assert found[:2] == pytest.approx(expected[:2], rel=1e-4)
    assert expected[2].tolist() == [0, 0]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_step_along_the_gradient_stays_on_the_budget(name):
    onto = OnBudget(small(name))
    relaxation = onto.relaxation
    sizes = onto.scaled(onto.coordinates(relaxation.human), 1.3 * onto.space.human_cost())
    _pulled(onto, sizes, np.random.default_rng(2).normal(size=sizes.shape))
    gradient = onto.gradient(sizes).numpy()
    # the coordinates' gradient is a covector: no scale of all sizes together is left in it
    assert float(gradient.sum()) == pytest.approx(0, abs=1e-9 * np.abs(gradient).max())
    moved = onto.scaled(
        onto.coordinates(sizes) - 1e-3 * onto.gradient(sizes), 1.3 * onto.space.human_cost()
    )
    assert relaxation(moved)[0] == pytest.approx(relaxation(sizes)[0], rel=1e-9)


def test_a_step_descends_the_loss():
    onto = OnBudget(small("resnet_small"))
    budget = float(onto.space.human_cost())
    sizes = onto.scaled(onto.coordinates(onto.relaxation.human), budget)
    loss = _pulled(onto, sizes, np.random.default_rng(3).normal(size=sizes.shape))
    down = onto.scaled(onto.coordinates(sizes) - 1e-2 * onto.gradient(sizes), budget)
    assert loss(down) < loss(sizes)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("name", NETWORKS)
def test_an_axis_that_the_loss_pulls_to_nothing_stays_within_the_guards(name, axis):
    controller = _on_budget(1.0, name)
    space = controller.space
    optimiser = torch.optim.SGD(controller.parameters(), lr=0.5, momentum=0.9)
    human = Relaxation(space).human
    first = controller.state()["sizes"].numpy().copy()
    for _ in range(60):
        optimiser.zero_grad()
        loss = -10 * sum(stride[axis].log() for stride in space.arch_parameters())
        loss.backward()
        controller.gather()
        optimiser.step()
        controller.after_step()
        sizes = controller.state()["sizes"].numpy()
        shape = (sizes[:, 0] / sizes[:, 1]) / (human[:, 0] / human[:, 1])
        assert (shape <= 4 * (1 + 1e-9)).all()
        assert (shape >= (1 - 1e-9) / 4).all()
    assert (sizes[:, axis] < 0.75 * first[:, axis]).any(), "or nothing was pulled"
    controller.settle()
    assert macs(space) <= controller.budget


def test_one_map_that_the_loss_pulls_to_a_point_stays_within_four_of_its_part():
    controller = _on_budget(1.0)
    optimiser = torch.optim.SGD(controller.parameters(), lr=0.5, momentum=0.9)
    human = Relaxation(controller.space).human
    for _ in range(60):
        optimiser.zero_grad()
        (-10 * controller.space.groups[0].stride.log().sum()).backward()
        controller.gather()
        optimiser.step()
        controller.after_step()
    away = np.log(controller.state()["sizes"].numpy() / human)
    assert (away[0] < -0.5).all(), "or nothing was pulled"
    assert np.abs(away - np.median(away)).max() <= np.log(4) * (1 + 1e-9)


def test_the_strides_gradients_are_taken_over_not_added_to():
    controller = _on_budget(1.0)
    for _ in range(2):
        controller.space.cost().backward()
        controller.gather()
        assert all(stride.grad is None for stride in controller.space.arch_parameters())
    once = controller.parameters()[0].grad.clone()
    controller.space.cost().backward()
    controller.gather()
    assert torch.equal(controller.parameters()[0].grad, once)
