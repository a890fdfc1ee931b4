"""Which sizes DynOPool makes, what they cost, and what it refuses."""

from __future__ import annotations

import doctest

import pytest
import torch

from resnas.errors import InvalidResizer
from resnas.polynomial import Polynomial
from resnas.resizers import dynopool
from resnas.resizers._base import Site
from resnas.resizers.dynopool import DynOPool


@pytest.mark.parametrize(
    ("stride", "shape", "needed"),
    [
        ((1.6,), (2, 3, 8, 8), "N, C, L"),
        ((1.6, 1.6), (3, 8, 8), "N, C, H, W"),
        ((1.6, 1.6, 1.6), (2, 3, 8, 8), "N, C, D, H, W"),
        ((1.6, 1.6, 1.6), (2, 3, 8, 0, 8), "N, C, D, H, W"),
    ],
)
def test_another_rank_is_refused_naming_what_was_found_and_needed(
    stride: tuple[float, ...], shape: tuple[int, ...], needed: str
) -> None:
    with pytest.raises(InvalidResizer) as refused:
        DynOPool(stride)(torch.zeros(shape))
    assert f"of shape {shape}" in str(refused.value)
    assert f"({needed})" in str(refused.value)


def test_four_axes_are_refused() -> None:
    with pytest.raises(InvalidResizer, match="1 or 2 or 3"):
        DynOPool((2.0,) * 4)


def test_doctests_hold() -> None:
    found = doctest.testmod(dynopool)
    assert found.attempted > 0
    assert found.failed == 0


def test_a_half_rounds_to_the_even_size() -> None:
    assert DynOPool((4.0, 4.0)).hard_size((10, 14)) == (2, 4)


def test_the_size_stays_at_two_pixels_or_at_what_entered() -> None:
    pool = DynOPool((50.0, 50.0))
    assert pool.hard_size((9, 1)) == (2, 1)
    soft = pool.soft_size(torch.tensor([9.0, 1.0]))
    assert soft.tolist() == [1.5, 1.0]
    (gradient,) = torch.autograd.grad(soft.sum(), pool.stride)
    assert gradient.tolist() == [0.0, 0.0]


def test_members_of_a_group_take_the_leaders_size() -> None:
    pool = DynOPool((2.0, 1.5))
    own, lead = torch.randn(1, 2, 35, 20), torch.randn(1, 2, 33, 21)
    assert pool.hard_size((35, 20), (33, 21)) == pool.hard_size((33, 21)) == (16, 14)
    assert tuple(pool(own, lead).shape[2:]) == (16, 14)
    torch.testing.assert_close(pool.fixed((35, 20), (33, 21))(own), pool(own, lead).detach())


def test_an_offset_and_bounds_change_the_size() -> None:
    pool = DynOPool((2.0, 2.0))
    pool.offset = (2, 0)
    pool.largest = (float("inf"), 5.0)
    assert pool.hard_size((16, 16)) == (10, 5)
    assert pool.soft_size(torch.tensor([16.0, 16.0])).tolist() == [10.0, 5.0]


@pytest.mark.parametrize(
    ("size_in", "size_out"), [((33, 35), (17, 17)), ((224, 224), (56, 56)), ((2, 2), (1, 1))]
)
def test_it_starts_at_the_human_size(size_in: tuple[int, int], size_out: tuple[int, int]) -> None:
    pool = DynOPool.from_site(Site("stem", 3, (2, 2), size_in, size_out))
    assert pool.hard_size(size_in) == size_out
    soft = pool.soft_size(torch.tensor(size_in, dtype=torch.float32))
    (gradient,) = torch.autograd.grad(soft.sum(), pool.stride)
    assert (gradient < 0).all()


def test_an_unknown_gradient_is_refused() -> None:
    with pytest.raises(InvalidResizer, match="'delta' or 'full'"):
        DynOPool(gradient="centre")  # type: ignore[arg-type]


def test_it_costs_four_macs_for_each_of_four_points() -> None:
    h, w = Polynomial.variable(0), Polynomial.variable(1)
    assert DynOPool().macs(64, (32, 32), (h, w)) == 16 * 64 * h * w


def test_a_signals_point_costs_two_macs_and_a_volumes_eight() -> None:
    assert DynOPool((2.0,)).macs(8, (32,), (16,)) == 2 * 2 * 8 * 16
    assert DynOPool((2.0,) * 3).macs(8, (8, 8, 8), (4, 4, 4)) == 8 * 8 * 8 * 4**3
