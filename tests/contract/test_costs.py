"""What every cost owes, whatever file it is in."""

from __future__ import annotations

import itertools

import pytest
import torch

import search_spaces
from resnas.catalog import costs
from resnas.converting import convert
from resnas.polynomial import Polynomial

COUNTED = [name for name in costs.names() if isinstance(costs[name]().total([]), Polynomial)]


@pytest.fixture(params=costs.names())
def name(request):
    return request.param


@pytest.fixture(params=COUNTED)
def counted(request):
    return request.param


@pytest.fixture
def space():
    torch.manual_seed(0)
    return convert(search_spaces.build("resnet_small", 10, (3, 32, 32)), (3, 32, 32))


def test_a_cost_says_what_it_counts_and_by_which_rules(name):
    assert costs[name].unit
    assert costs[name].counter.startswith(f"resnas.{name}/")


def test_a_cost_is_positive_whatever_the_sizes_and_a_count_an_integer(name, space):
    for factor in (1.0, 0.7, 1.9):
        with torch.no_grad():
            for group in space.groups:
                group.stride.mul_(factor)
        cost = space.cost(name).detach()
        assert cost.dim() == 0
        assert cost.dtype == torch.float64
        assert 0 < cost < float("inf")
        assert name not in COUNTED or int(cost) == cost


def test_a_larger_stride_never_counts_more(counted, space):
    found = []
    for stride in (0.6, 0.9, 1.4, 2.0, 2.7, 4.1, 9.0):
        with torch.no_grad():
            for group in space.groups:
                group.stride.fill_(stride)
        found.append(int(space.cost(counted).detach()))
    assert all(before >= after for before, after in itertools.pairwise(found))


def test_a_gradient_reaches_every_stride_where_sizes_matter(name, space):
    low, high = space.range(name)
    cost = space.cost(name)
    assert cost.requires_grad == (low < high)
    if cost.requires_grad:
        strides = [group.stride for group in space.groups]
        slopes = torch.autograd.grad(cost, strides)
        assert all(slope.isfinite().all() and slope.any() for slope in slopes)
        assert name not in COUNTED or all((slope < 0).all() for slope in slopes)


def test_the_backbones_own_cost_is_that_of_the_untouched_space(name):
    """Layers are measured once a process, so that even times agree to the last digit."""
    model = search_spaces.build("resnet_small", 10, (3, 32, 32))
    space = convert(model, (3, 32, 32), "strided")
    assert float(space.cost(name).detach()) == pytest.approx(space.human_cost(name), rel=1e-12)
    assert name not in COUNTED or isinstance(space.human_cost(name), int)


def test_the_cost_is_what_the_range_begins_and_ends_with(name, space):
    low, high = space.range(name)
    for stride, end in ((1e5, low), (1e-5, high)):
        with torch.no_grad():
            for group in space.groups:
                group.stride.fill_(stride)
        assert float(space.cost(name).detach()) == pytest.approx(end, rel=1e-12)
