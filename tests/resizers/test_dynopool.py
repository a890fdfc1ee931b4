"""DynOPool against its slow reference, and what is peculiar to it."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from resnas.errors import InvalidResizer
from resnas.polynomial import Polynomial
from resnas.resizers._base import Site
from resnas.resizers.dynopool import DynOPool
from tests.reference import dynopool as reference

CASES = [
    ((9, 7), (1.61, 2.42)),
    ((6, 5), (0.61, 0.77)),
    ((5, 6), (4.1, 5.3)),
    ((7, 1), (1.03, 2.0)),
    ((10, 14), (4.0, 4.0)),
    ((3, 4), (0.35, 1.9)),
]


def run(
    size: tuple[int, int], stride: tuple[float, float], gradient: Literal["delta", "full"]
) -> tuple[DynOPool, torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    pool = DynOPool(gradient=gradient).double()
    pool.stride.data = torch.tensor(stride, dtype=torch.float64)
    x = torch.randn(2, 2, *size, dtype=torch.float64, requires_grad=True)
    out = pool(x)
    weight = torch.randn_like(out)
    (out * weight).sum().backward()
    return pool, x, out.detach(), weight


@pytest.mark.parametrize(("size", "stride"), CASES)
@pytest.mark.parametrize("gradient", ["delta", "full"])
def test_values_and_gradients_are_those_of_the_reference(
    size: tuple[int, int], stride: tuple[float, float], gradient: Literal["delta", "full"]
) -> None:
    pool, x, out, weight = run(size, stride, gradient)
    truth = reference.pool(x.detach().numpy(), stride, weight.numpy())
    expected = truth.grad_stride_delta if gradient == "delta" else truth.grad_stride_full
    assert x.grad is not None
    assert pool.stride.grad is not None
    np.testing.assert_allclose(out, truth.out, atol=1e-12)
    np.testing.assert_allclose(x.grad, truth.grad_x, atol=1e-12)
    np.testing.assert_allclose(pool.stride.grad, expected, atol=1e-11)


def test_the_full_gradient_is_that_of_a_grid_stretched_a_little() -> None:
    pool, x, _, weight = run((9, 8), (1.7, 2.9), "full")
    step, hard = 1e-6, pool.hard_size((9, 8))

    def loss(axis: int, change: float) -> float:
        size = [float(n) for n in hard]
        size[axis] += change
        rows, columns = (
            (2 * (torch.arange(2 * m).double() + 0.5) / (2 * s) - 1)
            for m, s in zip(hard, size, strict=True)
        )
        grid = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1).expand(2, -1, -1, -1)
        points = F.grid_sample(x.detach(), grid, padding_mode="border", align_corners=False)
        return float((F.max_pool2d(points, 2) * weight).sum())

    for axis, (n, s) in enumerate(zip((9, 8), (1.7, 2.9), strict=True)):
        slope = (loss(axis, step) - loss(axis, -step)) / (2 * step)
        assert pool.stride.grad is not None
        assert float(pool.stride.grad[axis]) == pytest.approx(-n / s**2 * slope, rel=1e-5)


def test_stride_two_on_an_even_map_is_max_pooling() -> None:
    x = torch.randn(2, 3, 8, 12)
    assert torch.equal(DynOPool()(x), F.max_pool2d(x, 2))
    assert isinstance(DynOPool().fixed((8, 12)), nn.MaxPool2d)


def test_a_stride_that_needs_no_gradient_gives_the_same_map() -> None:
    x = torch.randn(2, 3, 11, 9)
    learned, still = DynOPool((1.6, 0.8)), DynOPool((1.6, 0.8))
    still.stride.requires_grad_(False)
    assert torch.equal(learned(x), still(x))


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


def test_a_second_derivative_is_refused_rather_than_wrong() -> None:
    pool = DynOPool((1.7, 1.7))
    (gradient,) = torch.autograd.grad(
        pool(torch.randn(1, 1, 8, 8)).square().sum(), pool.stride, create_graph=True
    )
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_an_unknown_gradient_is_refused() -> None:
    with pytest.raises(InvalidResizer, match="'delta' or 'full'"):
        DynOPool(gradient="centre")  # type: ignore[arg-type]


def test_it_costs_four_macs_for_each_of_four_points() -> None:
    h, w = Polynomial.variable(0), Polynomial.variable(1)
    assert DynOPool().macs(64, (32, 32), (h, w)) == 16 * 64 * h * w
