"""A cost at real sizes: its value, its slopes, and the scale that meets a budget."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from resnas.converting import convert
from resnas.relaxation import Relaxation
from tests.controllers.spaces import area_form, cost_of, macs, small
from tests.reference import budget as reference

NETWORKS = ("vgg_small", "resnet_small")


class _Unpadded(nn.Module):
    """Valid convolutions; the second pool is left alone, a window that slides over real sizes."""

    def __init__(self):
        super().__init__()
        self.conv1, self.pool1 = nn.Conv2d(3, 4, 3), nn.MaxPool2d(2)
        self.conv2, self.pool2 = nn.Conv2d(4, 8, 3), nn.MaxPool2d(2)
        self.conv3, self.head = nn.Conv2d(8, 8, 3), nn.Linear(8, 10)

    def forward(self, x):
        x = self.pool1(F.relu(self.conv1(x)))
        x = self.pool2(F.relu(self.conv2(x)))
        return self.head(F.relu(self.conv3(x)).mean((2, 3)))


class _Attending(nn.Module):
    """A linear layer on every pixel, and attention between all pixels."""

    def __init__(self):
        super().__init__()
        self.conv, self.pool = nn.Conv2d(3, 8, 3, padding=1), nn.MaxPool2d(2)
        self.mix, self.head = nn.Linear(8, 8), nn.Linear(8, 10)

    def forward(self, x):
        tokens = self.mix(self.pool(self.conv(x)).flatten(2).transpose(1, 2))
        return self.head(F.scaled_dot_product_attention(tokens, tokens, tokens).mean(1))


def _unpadded(sites=None):
    torch.manual_seed(0)
    return convert(_Unpadded(), (3, 32, 32), sites=sites)


def _attending():
    torch.manual_seed(0)
    return convert(_Attending(), (3, 16, 16))


SPACES = {
    **{name: lambda name=name: small(name) for name in NETWORKS},
    "diffstride": lambda: small("vgg_small", resizer="diffstride"),
    "shape_adaptor": lambda: small("vgg_small", resizer="shape_adaptor"),
    "unpadded": _unpadded,
    "window": lambda: _unpadded(["pool1"]),
    "attention": _attending,
}


@pytest.fixture(params=SPACES)
def space(request):
    return SPACES[request.param]()


def _proportions(relaxation, seed=0, spread=0.1):
    noise = np.random.default_rng(seed).uniform(-spread, spread, relaxation.human.shape)
    return relaxation.sizes() * np.exp(noise)


@pytest.mark.parametrize("name", sorted(SPACES.keys() - {"window"}))
def test_at_whole_sizes_it_is_the_cost_of_the_space(name):
    space = SPACES[name]()
    relaxation = Relaxation(space)
    rng = np.random.default_rng(1)
    for _ in range(12):
        with torch.no_grad():
            for group in relaxation.groups:
                group.stride.copy_(torch.from_numpy(rng.uniform(1.2, 2.6, 2)))
        sizes = space.sizes()
        point = np.array([sizes[g.name] for g in relaxation.groups]) + relaxation.margin
        assert relaxation(point)[0] == pytest.approx(macs(space), rel=1e-12)


def test_its_slopes_are_differences_by_the_logarithms_of_the_sizes(space):
    relaxation = Relaxation(space)
    sizes = _proportions(relaxation)
    _, slopes = relaxation(sizes)
    for index in np.ndindex(sizes.shape):
        ends = []
        for step in (1e-5, -1e-5):
            moved = sizes.copy()
            moved[index] *= np.exp(step)
            ends.append(relaxation(moved)[0])
        assert slopes[index] == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6)


def test_scaled_sizes_cost_the_budget_and_keep_their_proportions(space):
    relaxation = Relaxation(space)
    proportions = _proportions(relaxation)
    middle = relaxation(proportions)[0]
    for share in (0.8, 1.0, 1.3):
        sizes = relaxation.scaled(proportions, share * middle)
        assert relaxation(sizes)[0] == pytest.approx(share * middle, rel=1e-9)
        free = (sizes > relaxation.low) & (sizes < relaxation.high)
        scales = (sizes / proportions)[free]
        assert scales == pytest.approx(scales[0], rel=1e-9)
        assert free.any()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_scale_is_that_of_a_slow_bisection_of_an_area_form(name):
    space = small(name)
    relaxation, form = Relaxation(space), area_form(space)
    for seed, share in enumerate((0.75, 1.0, 1.6)):
        proportions = _proportions(relaxation, seed, spread=0.9)
        goal = share * reference.area_cost(form, relaxation.human)
        expected = reference.scaled(form, proportions, relaxation.low, relaxation.high, goal)
        assert relaxation.scaled(proportions, goal) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_closed_form_and_the_bisection_agree(name, monkeypatch):
    relaxation = Relaxation(small(name))
    proportions = _proportions(relaxation)
    goal = 1.2 * relaxation(proportions)[0]
    assert relaxation._closed_form(proportions, goal) is not None
    closed = relaxation.scaled(proportions, goal)
    monkeypatch.setattr(relaxation, "_closed_form", lambda *_: None)
    assert relaxation.scaled(proportions, goal) == pytest.approx(closed, rel=1e-11)


def test_a_size_that_a_bound_holds_leaves_the_rest_to_meet_the_budget():
    relaxation = Relaxation(small("vgg_small"))
    proportions = relaxation.human.copy()
    proportions[2] /= 8
    goal = relaxation(relaxation.human)[0]
    sizes = relaxation.scaled(proportions, goal)
    assert sizes[2].tolist() == relaxation.low[2].tolist()
    assert relaxation(sizes)[0] == pytest.approx(goal, rel=1e-9)


def test_a_bound_that_was_set_binds():
    space = small("vgg_small")
    space.set_bounds({"pool1": ((12, 12), (17, 20))})
    relaxation = Relaxation(space)
    assert relaxation.low[0].tolist() == [12, 12]
    assert relaxation.high[0].tolist() == [17, 20]
    goal = 2 * relaxation(relaxation.human)[0]
    sizes = relaxation.scaled(relaxation.human, goal)
    assert sizes[0].tolist() == [17, 20]
    assert relaxation(sizes)[0] == pytest.approx(goal, rel=1e-9)


def test_budgets_beyond_what_the_sizes_reach_end_at_their_bounds(space):
    relaxation = Relaxation(space)
    proportions = _proportions(relaxation)
    assert relaxation.scaled(proportions, 1.0).tolist() == relaxation.low.tolist()
    assert relaxation.scaled(proportions, 1e18).tolist() == relaxation.high.tolist()


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
def test_proportions_that_are_none_are_refused(bad):
    relaxation = Relaxation(small("vgg_small"))
    proportions = relaxation.human.copy()
    proportions[1, 0] = bad
    with pytest.raises(ValueError, match="positive and finite"):
        relaxation.scaled(proportions, 1e7)


def test_a_network_with_attention_has_no_closed_form():
    relaxation = Relaxation(_attending())
    assert max(map(len, relaxation._polynomial._keys)) == 4
    assert relaxation._closed_form(relaxation.human, relaxation(relaxation.human)[0]) is None


def test_a_window_counts_what_it_counts_on_the_mean():
    """Over even and odd sizes of both axes, the real positions are the whole ones."""
    space = _unpadded(["pool1"])
    relaxation, cost = Relaxation(space), cost_of(space)
    points = [np.array([[n, m]]) for n in range(12, 20) for m in (12, 13)]
    real = np.mean([relaxation(point.astype(float))[0] for point in points])
    assert real == pytest.approx(np.mean([cost(point) for point in points]), rel=1e-9)


def test_sizes_that_are_applied_are_read_again(space):
    relaxation = Relaxation(space)
    sizes = relaxation.scaled(_proportions(relaxation), 1.1 * relaxation(relaxation.human)[0])
    relaxation.apply(sizes)
    assert relaxation.sizes() == pytest.approx(sizes, rel=1e-5)


def test_whole_sizes_that_are_applied_are_those_of_the_space():
    space = small("resnet_small")
    relaxation = Relaxation(space)
    relaxation.apply(np.array([[17.0, 13.0], [9.0, 5.0], [3.0, 6.0]]))
    sizes = space.sizes()
    assert [sizes[g.name] for g in relaxation.groups] == [(17, 13), (9, 5), (3, 6)]
    assert relaxation.entering().tolist() == [[32, 32], [17, 13], [9, 5]]
