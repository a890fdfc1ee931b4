"""What every cost owes, whatever file it is in."""

from __future__ import annotations

import itertools

import pytest
import torch

import search_spaces
from resnas.catalog import costs
from resnas.converting import convert


@pytest.fixture(params=costs.names())
def name(request):
    return request.param


@pytest.fixture
def space():
    torch.manual_seed(0)
    return convert(search_spaces.build("resnet_small", 10, (3, 32, 32)), (3, 32, 32))


def test_a_cost_says_what_it_counts_and_by_which_rules(name):
    assert costs[name].unit
    assert costs[name].counter.startswith(f"resnas.{name}/")


def test_a_cost_is_a_positive_integer_whatever_the_sizes(name, space):
    for factor in (1.0, 0.7, 1.9):
        with torch.no_grad():
            for group in space.groups:
                group.stride.mul_(factor)
        cost = space.cost(name).detach()
        assert cost.dim() == 0
        assert cost.dtype == torch.float64
        assert int(cost) == cost > 0


def test_a_larger_stride_never_costs_more(name, space):
    found = []
    for stride in (0.6, 0.9, 1.4, 2.0, 2.7, 4.1, 9.0):
        with torch.no_grad():
            for group in space.groups:
                group.stride.fill_(stride)
        found.append(int(space.cost(name).detach()))
    assert all(before >= after for before, after in itertools.pairwise(found))


def test_a_gradient_reaches_every_stride_where_sizes_matter(name, space):
    low, high = space.range(name)
    cost = space.cost(name)
    assert cost.requires_grad == (low < high)
    if cost.requires_grad:
        strides = [group.stride for group in space.groups]
        assert all((slope < 0).all() for slope in torch.autograd.grad(cost, strides))


def test_the_backbones_own_cost_is_that_of_the_untouched_space(name):
    model = search_spaces.build("resnet_small", 10, (3, 32, 32))
    space = convert(model, (3, 32, 32), "strided")
    assert int(space.cost(name).detach()) == space.human_cost(name)
