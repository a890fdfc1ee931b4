"""DiffStride against its slow reference, and what is peculiar to it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from resnas.errors import InvalidResizer
from resnas.resizers._base import Site
from resnas.resizers.diffstride import DiffStride
from tests.reference import diffstride as reference

CASES: list[tuple[tuple[int, int], tuple[float, ...], dict[str, Any]]] = [
    ((8, 8), (2.0, 2.0), {}),
    ((12, 10), (2.6, 3.1), {"smoothness": 1.0}),
    ((15, 13), (2.0, 2.5), {"smoothness": 1.0}),
    ((15, 13), (2.0, 2.5), {"smoothness": 1.0, "compat": True}),
    ((15, 13), (2.6, 3.1), {"smoothness": 1.0, "crop": False}),
    ((15, 12), (2.6, 3.1), {"compat": True, "crop": False}),
    ((12, 14), (2.3,), {"shared": True, "smoothness": 2.0}),
    ((6, 10), (2.0, 1.2), {}),
    ((12, 12), (1.3, 3.0), {"lower": 1.5, "upper": 2.2, "smoothness": 2.0}),
    ((4, 4), (2.0, 2.0), {}),
    ((4, 9), (2.0, 2.0), {"upper": 1.5}),
    ((2, 3), (2.0, 2.0), {}),
    ((1, 1), (2.0, 2.0), {}),
    ((16, 9), (9.5, 1.1), {"smoothness": 1.0}),
]


@pytest.mark.parametrize(("size", "stride", "arguments"), CASES)
def test_values_and_gradients_are_those_of_the_reference(
    size: tuple[int, int], stride: tuple[float, ...], arguments: dict[str, Any]
) -> None:
    torch.manual_seed(0)
    resizer = DiffStride(stride, **arguments).double()
    resizer.stride.data = torch.tensor(stride, dtype=torch.float64)
    x = torch.randn(2, 2, *size, dtype=torch.float64, requires_grad=True)
    out = resizer(x)
    weight = torch.randn_like(out)
    (out * weight).sum().backward()
    truth = reference.resize(
        x.detach().numpy(), stride, reference.Settings(**arguments), weight.numpy()
    )
    assert tuple(out.shape[2:]) == truth.out.shape[2:] == resizer.hard_size(size)
    np.testing.assert_allclose(out.detach(), truth.out, atol=1e-12)
    np.testing.assert_allclose(x.grad, truth.grad_x, atol=1e-12)
    np.testing.assert_allclose(resizer.stride.grad, truth.grad_stride, atol=1e-11)


def test_the_stride_gradient_is_that_of_finite_differences() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 2, 18, 15, dtype=torch.float64)
    resizer = DiffStride((2.23, 1.87), smoothness=1.5).double()

    def output(stride: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(resizer, {"stride": stride}, (x,))

    assert torch.autograd.gradcheck(output, (resizer.stride.detach().requires_grad_(),))


@pytest.mark.parametrize(
    ("size", "expected"), [((64, 64), (40, 24)), ((32, 32), (24, 16)), ((16, 16), (16, 12))]
)
def test_sizes_are_those_of_the_authors(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert DiffStride((2.0, 4.0)).hard_size(size) == expected


def test_on_odd_heights_a_wave_beyond_the_window_vanishes() -> None:
    rows = torch.arange(15, dtype=torch.float64)
    wave = torch.cos(2 * math.pi * 5 * rows / 15)[None, None, :, None].expand(1, 1, 15, 8)
    window: dict[str, Any] = {
        "stride": (2.0, 2.0),
        "smoothness": 1.0,
    }  # rows nearer than 1 + 15 / 2 / 2 = 4.75
    out = DiffStride(**window).double()(wave)
    shifted = DiffStride(**window, compat=True).double()(wave)
    assert out.abs().max() < 1e-12
    assert shifted.abs().max() > 0.1


def test_a_stride_below_the_raise_still_learns() -> None:
    resizer = DiffStride((1.0, 1.0))
    resizer(torch.randn(1, 2, 16, 16)).square().sum().backward()
    assert resizer.stride.tolist() == [1.0, 1.0]
    assert resizer.stride.grad is not None
    assert (resizer.stride.grad != 0).all()


@pytest.mark.parametrize("size", [(16, 16), (4, 4), (3, 1), (9, 31)])
@pytest.mark.parametrize("stride", [1.0, 2.0, 3.3, 12.0])
def test_a_cost_always_moves_the_stride(size: tuple[int, int], stride: float) -> None:
    resizer = DiffStride((stride, stride))
    soft = resizer.soft_size(torch.tensor(size, dtype=torch.float32))
    (gradient,) = torch.autograd.grad(soft.sum(), resizer.stride)
    expected = [-n / stride**2 for n in size]
    torch.testing.assert_close(gradient, torch.tensor(expected))


def test_a_cost_gains_nothing_beyond_the_upper_limit() -> None:
    resizer = DiffStride((3.0, 2.0), upper=2.5)
    soft = resizer.soft_size(torch.tensor([32.0, 32.0]))
    (gradient,) = torch.autograd.grad(soft.sum(), resizer.stride)
    assert gradient[0] == 0
    assert gradient[1] < 0


def test_members_of_a_group_take_the_leaders_nominal_size() -> None:
    resizer = DiffStride((2.0, 2.0), smoothness=1.0)
    own, lead = torch.randn(1, 2, 24, 40), torch.randn(1, 2, 32, 32)
    assert resizer.hard_size((24, 40), (32, 32)) == resizer.hard_size((32, 32)) == (18, 18)
    assert tuple(resizer(own, lead).shape[2:]) == (18, 18)
    fixed = resizer.fixed((24, 40), (32, 32))
    torch.testing.assert_close(fixed(own), resizer(own, lead).detach(), rtol=1e-6, atol=1e-6)


def test_it_starts_at_the_nominal_stride() -> None:
    resizer = DiffStride.from_site(Site("stage2", 3, (2, 1), (32, 32), (16, 32)))
    assert resizer.stride.tolist() == [2.0, 1.0]


def test_its_macs_are_those_of_its_matrix_products() -> None:
    resizer = DiffStride((2.0, 3.0), smoothness=1.0)
    fixed = resizer.fixed((16, 24))
    with FlopCounterMode(display=False) as counter:
        fixed(torch.randn(1, 5, 16, 24))
    out = resizer.hard_size((16, 24))
    assert resizer.macs(5, (16, 24), out) == counter.get_total_flops() // 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"stride": (0.9, 2.0)}, "at least 1"),
        ({"stride": (2.0, 3.0), "shared": True}, "one number"),
        ({"smoothness": 0.0}, "positive"),
        ({"smoothness": math.nan}, "positive"),
        ({"lower": 3.0, "upper": 2.0}, "lower <= upper"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidResizer, match=message):
        DiffStride(**arguments)
