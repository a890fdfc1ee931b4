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

CASES: list[tuple[tuple[int, ...], tuple[float, ...], dict[str, Any]]] = [
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
    ((20, 22), (2.0, 2.0), {"smoothness": 2.0}),
    ((20, 22), (2.0, 2.0), {"smoothness": 2.0, "crop": False}),
    ((21, 14), (2.9, 2.0), {"smoothness": 1.6, "compat": True}),
    ((18,), (2.4,), {"smoothness": 1.5}),
    ((13,), (2.0,), {"crop": False}),
    ((8, 10, 12), (2.0, 1.7, 2.6), {"smoothness": 1.0}),
    ((7, 8, 9), (2.1, 2.0, 1.9), {"smoothness": 1.0, "compat": True}),
    ((9, 6, 8), (1.8, 1.8, 1.8), {"smoothness": 1.0, "shared": True}),
    ((5, 8, 6), (2.0, 3.0, 2.0), {"smoothness": 1.0, "crop": False}),
]


@pytest.mark.parametrize(("size", "stride", "arguments"), CASES)
def test_values_and_gradients_are_those_of_the_reference(
    size: tuple[int, ...], stride: tuple[float, ...], arguments: dict[str, Any]
) -> None:
    torch.manual_seed(0)
    resizer = DiffStride(stride, **arguments).double()
    resizer.stride.data = torch.tensor(stride[: len(resizer.stride)], dtype=torch.float64)
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


@pytest.mark.parametrize("size", [(18,), (18, 15), (6, 8, 9)])
def test_the_stride_gradient_is_that_of_finite_differences(size: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 1, *size, dtype=torch.float64)
    resizer = DiffStride((2.23, 1.87, 1.71)[: len(size)], smoothness=1.5).double()

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


@pytest.mark.parametrize("size", [(4,), (4, 4), (4, 9, 4)])
def test_a_map_as_large_as_the_windows_edge_sends_the_stride_nowhere(
    size: tuple[int, ...],
) -> None:
    resizer = DiffStride((2.0,) * len(size), smoothness=4.0)
    x = torch.randn(2, 3, *size, requires_grad=True)
    out = resizer(x)
    out.square().sum().backward()
    assert resizer.stride.tolist() == [2.0] * len(size)
    assert out.isfinite().all()
    for gradient in (x.grad, resizer.stride.grad):
        assert gradient is not None
        assert gradient.isfinite().all()


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


@pytest.mark.parametrize("size", [(24,), (16, 24), (15, 9), (3, 2), (1, 1), (8, 11, 12)])
@pytest.mark.parametrize("arguments", [{}, {"compat": True}, {"crop": False}], ids=str)
def test_its_macs_are_those_of_its_matrix_products(
    size: tuple[int, ...], arguments: dict[str, bool]
) -> None:
    resizer = DiffStride((2.0, 3.0, 1.5)[: len(size)], smoothness=1.0, **arguments)
    fixed = resizer.fixed(size)
    x = torch.randn(1, 5, *size)
    with FlopCounterMode(display=False) as counter:
        out = fixed(x)
    torch.testing.assert_close(out, resizer(x).detach(), rtol=1e-5, atol=1e-6)
    assert resizer.macs(5, size, tuple(out.shape[2:])) == counter.get_total_flops() // 2


@pytest.mark.parametrize("size", [(20,), (15, 20), (6, 9, 8)])
def test_the_order_of_channels_in_memory_changes_nothing(size: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    plain = torch.randn(2, 3, *size, dtype=torch.float64)
    last = plain.movedim(1, -1).contiguous().movedim(-1, 1)
    results = []
    for x in (plain, last):
        resizer = DiffStride((1.7,) * len(size), smoothness=1.0).double()
        leaf = x.detach().requires_grad_()
        out = resizer(leaf)
        (out * torch.arange(out.numel()).view_as(out)).sum().backward()
        results.append((out, leaf.grad, resizer.stride.grad))
        assert out.movedim(1, -1).is_contiguous() == (x is last)
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


def test_a_settled_stride_gets_no_gradient_and_the_map_the_same() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 18, 20, dtype=torch.float64)
    gradients = []
    for learns in (True, False):
        resizer = DiffStride((2.1, 1.9), smoothness=2.0).double()
        resizer.stride.requires_grad_(learns)
        leaf = x.clone().requires_grad_()
        resizer(leaf).square().sum().backward()
        assert (resizer.stride.grad is not None) == learns
        gradients.append(leaf.grad)
    assert torch.equal(*gradients)


def test_a_map_that_needs_no_gradient_leaves_the_strides_unchanged() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 18, 20)
    found = []
    for needs in (True, False):
        resizer = DiffStride((2.1, 1.9), smoothness=2.0)
        resizer(x.clone().requires_grad_(needs)).square().sum().backward()
        found.append(resizer.stride.grad)
    assert found[0] is not None
    assert torch.equal(*found)


def test_half_precision_and_autocast_learn_about_the_same() -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 8, 20, 24)
    found = []
    for dtype, cast in ((torch.float32, False), (torch.float32, True), (torch.bfloat16, False)):
        resizer = DiffStride((2.1, 1.9))
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=cast):
            out = resizer(x.to(dtype))
        out.float().square().sum().backward()
        found.append(resizer.stride.grad)
    torch.testing.assert_close(found[0], found[1], rtol=0.01, atol=0.1)
    assert torch.equal(*found[1:])


def test_what_waits_for_the_backward_pass_is_no_larger_than_the_map() -> None:
    x = torch.randn(4, 8, 40, 40, requires_grad=True)
    kept: list[int] = []

    def pack(saved: torch.Tensor) -> torch.Tensor:
        kept.append(saved.numel())
        return saved

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved):
        DiffStride((2.0, 2.0), smoothness=2.0)(x)
    assert 0 < sum(kept) < x.numel()


def test_a_frozen_one_compiles_to_one_graph() -> None:
    torch.compiler.reset()
    fixed = DiffStride((2.0, 1.7), smoothness=1.0).fixed((14, 12))
    compiled = torch.compile(fixed, backend="aot_eager", fullgraph=True)
    x = torch.randn(2, 3, 14, 12)
    torch.testing.assert_close(compiled(x), fixed(x))
    torch.testing.assert_close(
        compiled(x.to(memory_format=torch.channels_last)), fixed(x), rtol=1e-5, atol=1e-5
    )


def test_a_learning_one_compiles_once_for_all_strides() -> None:
    torch.compiler.reset()
    resizer = DiffStride((2.0, 2.0), smoothness=1.0)
    compiled = torch.compile(resizer, backend="aot_eager")
    x = torch.randn(2, 3, 14, 12)
    with torch._dynamo.config.patch(error_on_recompile=True):
        for stride in (2.0, 1.9, 1.3, 3.1):
            resizer.stride.data.fill_(stride)
            found = []
            for call in (resizer, compiled):
                resizer.stride.grad = None
                call(x).square().sum().backward()
                found.append(resizer.stride.grad)
            torch.testing.assert_close(*found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"stride": (0.9, 2.0)}, "at least 1"),
        ({"stride": (0.0,)}, "at least 1"),
        ({"stride": (2.0, math.nan, 2.0)}, "at least 1"),
        ({"stride": (2.0, math.inf)}, "at least 1"),
        ({"stride": ()}, "one number an axis"),
        ({"stride": (2.0,) * 4}, "one number an axis"),
        ({"stride": (2.0, 3.0), "shared": True}, "one number"),
        ({"smoothness": 0.0}, "positive"),
        ({"smoothness": -4.0}, "positive"),
        ({"smoothness": math.inf}, "positive"),
        ({"smoothness": math.nan}, "positive"),
        ({"lower": 3.0, "upper": 2.0}, "lower <= upper"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidResizer, match=message):
        DiffStride(**arguments)
