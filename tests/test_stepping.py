"""Whole steps onto a budget of a cost that is no polynomial in the sizes."""

from __future__ import annotations

from pathlib import Path

import pytest

from resnas import costs
from resnas.errors import ArchitectureMismatch
from resnas.stepping import step_within
from tests.controllers.spaces import macs, small


@pytest.fixture
def staircase(monkeypatch):
    """The name of a cost in steps, in a file of its own as every cost is."""
    folder = Path(__file__).parent / "controllers"
    monkeypatch.setattr(costs, "__path__", [*costs.__path__, str(folder)])
    return "staircase"


def _cost(space, name):
    return float(space.cost(name).detach())


def _one_pixel_more(space):
    """All sizes with one axis of one group a pixel larger."""
    before = {group.name: space.sizes()[group.name] for group in space.groups}
    for group, (height, width) in before.items():
        for larger in ((height + 1, width), (height, width + 1)):
            try:
                space.set_sizes({**before, group: larger})
            except ArchitectureMismatch:
                continue
            yield group, larger
    space.set_sizes(before)


@pytest.mark.parametrize("share", [0.8, 1.3])
def test_a_monotone_cost_ends_within_the_budget_with_no_pixel_to_spare(share):
    space = small("vgg_small")
    budget = share * space.human_cost()
    assert step_within(space, "macs", budget)
    assert 0.9 * budget < macs(space) <= budget
    assert all(macs(space) > budget for _ in _one_pixel_more(space))


@pytest.mark.parametrize("share", [0.75, 1.2])
def test_a_staircase_ends_within_the_budget(share, staircase):
    space = small("vgg_small")
    budget = share * _cost(space, staircase)
    assert step_within(space, staircase, budget)
    found = _cost(space, staircase)
    assert 0.9 * budget < found <= budget
    for _ in _one_pixel_more(space):
        assert not found < _cost(space, staircase) <= budget, "nothing was left to grow"


def test_what_costs_the_budget_already_stays():
    space = small("resnet_small")
    before = space.sizes()
    assert step_within(space, "macs", macs(space))
    assert space.sizes() == before


def test_a_budget_below_the_smallest_is_not_met():
    space = small("vgg_small")
    space.set_sizes({"pool1": (4, 3), "pool2": (3, 3), "pool3": (2, 2)})
    low, _ = space.range()
    assert not step_within(space, "macs", low - 1)
    assert macs(space) == low
    assert all(size == (2, 2) for size in space.sizes().values())


def test_the_smallest_meets_its_own_cost():
    space = small("vgg_small")
    space.set_sizes({"pool1": (4, 3), "pool2": (3, 3), "pool3": (2, 2)})
    low, _ = space.range()
    assert step_within(space, "macs", low)
    assert macs(space) == low


def test_proportions_hardly_change_where_little_has_to_go():
    space = small("vgg_small")
    assert step_within(space, "macs", 0.9 * space.human_cost())
    for group in space.groups:
        for new, human in zip(space.sizes()[group.name], group.human_size, strict=True):
            assert 0.7 <= new / human <= 1.2
