"""Strided, average and max pooling beside slow references, on sizes that fit and that do not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from resnas.resizers._base import AbstractResizer, Site
from resnas.resizers.average import Average
from resnas.resizers.max import Max
from resnas.resizers.strided import Strided
from tests.reference import pooling as reference

CASES = [
    ((8, 6), (2, 2)),
    ((7, 9), (2, 2)),
    ((9, 10), (3, 4)),
    ((5, 8), (1, 3)),
    ((2, 7), (4, 3)),
    ((1, 1), (2, 2)),
]


def check(resizer: AbstractResizer, truth_of: reference.Shares, size: tuple[int, int]) -> None:
    """Values, sizes and gradients, of the operator and of its fixed form."""
    ceil = bool(getattr(resizer, "ceil", True))
    v, h = (int(s) for s in resizer.stride)
    torch.manual_seed(0)
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    shape = reference.pool(x.numpy(), (v, h), ceil, truth_of).out.shape
    weight = torch.randn(shape, dtype=torch.float64)
    truth = reference.pool(x.numpy(), (v, h), ceil, truth_of, weight.numpy())
    assert resizer.hard_size(size) == shape[2:]
    for operator in (resizer, resizer.fixed(size)):
        leaf = x.clone().requires_grad_()
        out = operator(leaf)
        (out * weight).sum().backward()
        assert leaf.grad is not None
        np.testing.assert_allclose(out.detach(), truth.out, rtol=0, atol=1e-14)
        np.testing.assert_allclose(leaf.grad, truth.grad_x, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("size", "stride"), CASES)
@pytest.mark.parametrize("ceil", [False, True])
def test_max_is_the_references(
    size: tuple[int, int], stride: tuple[float, float], ceil: bool
) -> None:
    check(Max(stride, ceil=ceil), reference.largest, size)


@pytest.mark.parametrize(("size", "stride"), CASES)
@pytest.mark.parametrize("ceil", [False, True])
def test_average_is_the_references(
    size: tuple[int, int], stride: tuple[float, float], ceil: bool
) -> None:
    check(Average(stride, ceil=ceil), reference.mean, size)


@pytest.mark.parametrize(("size", "stride"), CASES)
def test_strided_is_the_references(size: tuple[int, int], stride: tuple[float, float]) -> None:
    check(Strided(stride), reference.first, size)


def test_the_first_of_equal_values_gets_the_gradient() -> None:
    x = torch.ones(1, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    Max((2.0, 2.0))(x).sum().backward()
    truth = reference.pool(np.ones((1, 1, 4, 4)), (2, 2), False, reference.largest)
    np.testing.assert_array_equal(x.grad, truth.grad_x)


@pytest.mark.parametrize("entry", [Average, Max])
@pytest.mark.parametrize(("size", "ceil"), [((17, 9), True), ((16, 8), False)])
def test_a_site_says_whether_an_incomplete_window_counts(
    entry: type[Average | Max], size: tuple[int, int], ceil: bool
) -> None:
    human = (9, 5) if ceil else (8, 4)
    resizer = entry.from_site(Site("pool1", 3, (2, 2), size, human))
    assert resizer.hard_size(size) == human
    if ceil:
        assert resizer.ceil
