"""Dual: λ follows the excess over the budget."""

from __future__ import annotations

import itertools

import pytest
import torch

from resnas.controllers.dual import Dual
from resnas.results import Plan
from tests.controllers.spaces import macs, small


def _dual(share):
    space = small("vgg_small")
    gmacs = share * macs(space) / 1e9
    return Dual(space, Plan(resizer="dynopool", controller="dual", budget_gmacs=gmacs))


def _stepped(controller, steps):
    """λ after each of some steps at the sizes as they are."""
    found = []
    for _ in range(steps):
        controller.loss(torch.zeros(()))
        controller.after_step()
        found.append(float(controller.state()["lam"]))
    return found


def test_lambda_rises_above_the_budget_and_falls_below_it():
    controller = _dual(0.5)
    above = _stepped(controller, 4)
    assert all(a < b for a, b in itertools.pairwise([0.0, *above]))
    controller.space.set_sizes({"pool1": (8, 8), "pool2": (4, 4), "pool3": (2, 2)})
    assert macs(controller.space) < controller.budget
    below = _stepped(controller, 4)
    assert all(a > b for a, b in itertools.pairwise([above[-1], *below]))


def test_lambda_becomes_negative_where_a_network_is_too_small():
    assert _stepped(_dual(1.5), 1)[0] < 0


def test_lambda_rests_where_the_cost_is_the_budget():
    assert _stepped(_dual(1.0), 3) == pytest.approx([0.0] * 3, abs=1e-12)


def test_the_loss_is_the_tasks_and_lambda_times_the_share_of_the_budget():
    controller = _dual(0.5)
    share = macs(controller.space) / controller.budget
    first = float(controller.loss(torch.tensor(2.0)).detach())
    assert first == pytest.approx(2.0 + 0.5 * (share - 1) * share, rel=1e-6)
    controller.state()["lam"].fill_(0.25)
    second = float(controller.loss(torch.tensor(2.0)).detach())
    assert second - first == pytest.approx(0.25 * share, rel=1e-5)


@pytest.mark.parametrize(("share", "grows"), [(0.5, True), (1.5, False)])
def test_strides_are_driven_towards_the_budget(share, grows):
    controller = _dual(share)
    controller.loss(torch.zeros(())).backward()
    for stride in controller.space.arch_parameters():
        assert ((stride.grad < 0) == grows).all(), "a gradient below zero enlarges a stride"


def test_alone_with_the_cost_it_comes_to_the_budget():
    controller = _dual(0.6)
    optimiser = torch.optim.SGD(controller.parameters(), lr=0.05, momentum=0.9)
    for _ in range(60):
        optimiser.zero_grad()
        controller.loss(torch.zeros(())).backward()
        optimiser.step()
        controller.after_step()
    assert macs(controller.space) == pytest.approx(controller.budget, rel=0.15)
    controller.settle()
    assert 0.99 * controller.budget <= macs(controller.space) <= controller.budget
