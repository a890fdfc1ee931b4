"""Whole sizes around real ones: the point taken is the one that trying them all would take."""

from __future__ import annotations

import math

import numpy as np
import pytest

from resnas import lattice
from resnas.lattice import Lattice
from tests.controllers.spaces import area_form, cost_of, macs, small
from tests.reference import budget as reference

NETWORKS = ("vgg_small", "resnet18", "mobilenet_v2")
"""VGG-, ResNet-18- and MobileNetV2-style, at 32 px."""

SHAPE = np.array([[1.07, 0.93], [0.96, 1.1], [1.02, 0.97]])
"""What a search made of the human sizes."""


def _tried(space, sizes, budget, around, cost=None):
    """What trying all whole sizes finds, each asked of the space itself; and that space's sizes."""
    relaxation = Lattice(space).relaxation
    found = reference.nearest_below(
        cost or cost_of(space), sizes, around, relaxation.low, relaxation.high, budget
    )
    return None if found is None else (found[0], relaxation.behind(found[1]))


def _tried_more_widely(space, sizes, budget):
    """The same a pixel more each time, large maps by an eighth of themselves at most.

    So many points are counted by the areas that the space's cost is made of.
    """
    form = area_form(space)
    for ring in range(2, 9):
        around = np.full_like(sizes, ring).clip(1, np.maximum(sizes / 8, 1))
        found = _tried(space, sizes, budget, around, lambda at: reference.area_cost(form, at))
        if found[0] >= 0.999 * budget:
            break
    return found


def _real(space, budget, shape=SHAPE):
    relaxation = Lattice(space).relaxation
    return relaxation.scaled(relaxation.human * shape, budget)


@pytest.mark.parametrize("share", [0.7, 1.0, 1.7])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_point_taken_is_proved_nearest_by_trying_all(name, share):
    space = small(name)
    budget = math.floor(share * space.human_cost())
    sizes = _real(space, budget)
    landing = Lattice(space).land(sizes, budget)
    assert macs(space) == landing.cost <= budget
    assert {name: space.sizes()[name] for name in landing.sizes} == landing.sizes
    cost, wanted = _tried(space, sizes, budget, np.ones_like(sizes))
    if cost < 0.999 * budget:
        cost, wanted = _tried_more_widely(space, sizes, budget)
    assert (landing.cost, landing.sizes) == (cost, wanted)
    assert landing.cost >= 0.994 * budget


@pytest.mark.parametrize("name", ["vgg_small", "resnet_small", "mobilenet_v2"])
def test_a_budget_is_met_within_a_thousandth_at_96_pixels(name):
    space = small(name, pixels=96)
    relaxation = Lattice(space).relaxation
    low, high = space.range()
    rng = np.random.default_rng(0)
    for share in (0.1, 0.25, 0.5):
        budget = math.floor(low + share * (high - low))
        shape = np.exp(rng.uniform(-0.1, 0.1, relaxation.human.shape))
        landing = Lattice(space).land(_real(space, budget, shape), budget)
        assert 0.999 * budget <= landing.cost <= budget
        assert macs(space) == landing.cost


@pytest.mark.parametrize("seed", range(4))
def test_no_budget_is_ever_exceeded_and_what_is_above_is_above(seed):
    space = small("vgg_small")
    rng = np.random.default_rng(seed)
    budget = math.floor(space.human_cost() * rng.uniform(0.3, 3))
    sizes = _real(space, budget, np.exp(rng.uniform(-0.6, 0.6, SHAPE.shape)))
    landing = Lattice(space).land(sizes, budget)
    assert landing.cost <= budget < landing.above
    assert macs(space) == landing.cost


@pytest.mark.parametrize("wide", [False, True])
def test_of_equal_costs_the_nearest_in_logarithms_is_taken(wide):
    """13 × 12 costs what 12 × 13 does; which one is nearer, the real sizes say."""
    space = small("vgg_small")
    first = [12.4, 12.6] if wide else [12.6, 12.4]
    budget = cost_of(space)(np.array([[12, 13], [8, 8], [4, 4]]))
    landing = Lattice(space).land(np.array([first, [8.0, 8.0], [4.0, 4.0]]), budget)
    expected = (12, 13) if wide else (13, 12)
    assert landing.sizes == {"pool1": expected, "pool2": (8, 8), "pool3": (4, 4)}
    assert landing.cost == budget


def test_whole_sizes_that_cost_the_budget_are_kept():
    space = small("resnet18")
    point = np.array([[17.0, 14.0], [7.0, 9.0], [4.0, 5.0]])
    budget = cost_of(space)(point.astype(int))
    landing = Lattice(space).land(point, budget)
    assert landing.cost == budget
    assert list(landing.sizes.values()) == [(17, 14), (7, 9), (4, 5)]


def test_it_is_looked_more_widely_only_where_one_pixel_leaves_too_much():
    space = small("vgg_small")
    point = np.array([[40.4, 40.4], [8.4, 8.4], [4.4, 4.4]])
    budget = cost_of(space)(np.array([[44, 43], [9, 9], [5, 5]]))
    near, _ = _tried(space, point, budget, np.ones_like(point))
    assert near < 0.999 * budget, "or this case shows nothing"
    landing = Lattice(space).land(point, budget)
    assert near < landing.cost <= budget
    assert landing.cost >= 0.999 * budget
    moved = np.abs(np.array(list(landing.sizes.values())) - point)
    assert moved[0].max() > 1, "the large maps give way"
    assert moved[1:].max() <= 1, "small ones do not"


def test_small_maps_change_more_only_to_come_within_a_twentieth():
    space = small("vgg_small")
    sizes = np.array([[3.0, 3.0], [2.0, 2.0], [2.0, 2.0]])
    budget = cost_of(space)(np.array([[7, 7], [3, 3], [3, 3]]))
    landing = Lattice(space).land(sizes, budget)
    assert 0.95 * budget <= landing.cost <= budget
    assert np.abs(np.array(list(landing.sizes.values())) - sizes).max() > 1


def test_where_nothing_is_cheap_enough_the_space_keeps_its_sizes():
    space = small("vgg_small")
    before = space.sizes()
    low, _ = space.range()
    landing = Lattice(space).land(Lattice(space).relaxation.low, int(low) - 1)
    assert (landing.sizes, landing.cost, landing.above) == (None, None, low)
    assert space.sizes() == before


def test_nothing_is_above_the_largest():
    space = small("vgg_small")
    _, high = space.range()
    landing = Lattice(space).land(Lattice(space).relaxation.high, int(2 * high))
    assert (landing.cost, landing.above) == (high, None)


@pytest.mark.parametrize("choices", [4, 64])
def test_axes_in_several_blocks_land_as_well(choices, monkeypatch):
    monkeypatch.setattr(lattice, "_CHOICES", choices)
    space = small("mobilenet_v2", pixels=96)
    rng = np.random.default_rng(choices)
    for share in (0.6, 1.0, 1.6):
        budget = math.floor(share * space.human_cost())
        sizes = _real(space, budget, np.exp(rng.uniform(-0.1, 0.1, (5, 2))))
        landing = Lattice(space).land(sizes, budget)
        assert 0.998 * budget <= landing.cost <= budget
        assert macs(space) == landing.cost


def test_blocks_take_every_axis_once(monkeypatch):
    monkeypatch.setattr(lattice, "_CHOICES", 16)
    sizes = np.array([[7.5, 3.1], [8.0, 2.2], [5.4, 6.9]])
    axes = [[1, 2], [1, 2, 3], [1], [1, 2], [1, 2, 3, 4], [1, 2]]
    blocks = list(lattice._blocks(axes, sizes))
    assert sorted(axis for block in blocks for axis in block) == list(range(6))
    assert all(math.prod(len(axes[axis]) for axis in block) <= 16 for block in blocks)
    assert blocks[0][0] == 0, "the size that is farthest from a whole one comes first"


@pytest.mark.parametrize("resizer", ["diffstride", "shape_adaptor"])
def test_sizes_that_a_resizer_does_not_make_are_skipped(resizer):
    space = small("vgg_small", resizer=resizer)
    relaxation = Lattice(space).relaxation
    start = relaxation.sizes() * 0.93
    budget = math.floor(relaxation(start)[0])
    sizes = relaxation.scaled(start, budget)
    tried = _tried(space, sizes, budget, np.ones_like(sizes))
    landing = Lattice(space).land(sizes, budget)
    assert macs(space) == landing.cost <= budget
    assert landing.cost >= tried[0]
    if tried[0] >= 0.999 * budget:
        assert (landing.cost, landing.sizes) == tried


def test_sizes_are_skipped_that_only_the_cost_would_take():
    """DiffStride makes even sizes only: the best of all whole ones is not the best it can make."""
    space = small("vgg_small", resizer="diffstride")
    relaxation = Lattice(space).relaxation
    sizes = relaxation.sizes() - 0.5
    budget = math.floor(relaxation(sizes)[0])
    landing = Lattice(space).land(sizes, budget)
    assert all(n % 2 == 0 for size in landing.sizes.values() for n in size)
    points = np.stack([np.floor(sizes), np.ceil(sizes)]).astype(np.int64)
    assert cost_of(space)(points[0]) is None


@pytest.mark.parametrize("resizer", ["dynopool", "diffstride", "shape_adaptor"])
def test_costs_of_many_points_are_those_of_the_space(resizer):
    space = small("resnet_small", resizer=resizer)
    found, cost = Lattice(space), cost_of(space)
    rng = np.random.default_rng(0)
    most = np.minimum(found.relaxation.low + 20, found.relaxation.high)
    points = rng.integers(found.relaxation.low, most, (60, *most.shape), endpoint=True)
    pairs = [(int(c), cost(p)) for c, p in zip(found.costs(points), points, strict=True)]
    possible = [(mine, theirs) for mine, theirs in pairs if theirs is not None]
    assert possible or resizer == "diffstride"
    assert all(mine == theirs for mine, theirs in possible)
