"""DynOPool against its slow reference, and what is peculiar to it."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnas.resizers.dynopool import DynOPool
from tests.reference import dynopool as reference

Gradient = Literal["delta", "full"]

CASES = [
    ((9, 7), (1.61, 2.42)),
    ((6, 5), (0.61, 0.77)),
    ((5, 6), (4.1, 5.3)),
    ((7, 1), (1.03, 2.0)),
    ((10, 14), (4.0, 4.0)),
    ((3, 4), (0.35, 1.9)),
    ((16, 16), (1.37, 2.9)),
    ((13,), (1.7,)),
    ((8,), (0.6,)),
    ((1,), (2.0,)),
    ((64,), (2.9,)),
    ((5, 7, 6), (1.3, 2.4, 1.7)),
    ((4, 3, 1), (0.7, 1.6, 2.0)),
    ((4, 4, 8), (2.0, 2.0, 2.0)),
]
EACH_RANK = [((29,), (1.7,)), ((11, 9), (1.6, 0.8)), ((5, 8, 7), (1.6, 2.3, 0.8))]
INNERMOST = {1: torch.contiguous_format, 2: torch.channels_last, 3: torch.channels_last_3d}


def build(stride: tuple[float, ...], gradient: Gradient = "delta") -> DynOPool:
    """In float64, with the stride to its last digit."""
    pool = DynOPool(stride, gradient).double()
    pool.stride.data = torch.tensor(stride, dtype=torch.float64)
    return pool


def image(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def learn(pool: DynOPool, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What comes out, its weights in the loss, and the gradients of map and stride."""
    pool.stride.grad = None
    leaf = x.clone(memory_format=torch.preserve_format).requires_grad_()
    out = pool(leaf)
    weight = image(*out.shape, seed=1).to(out.dtype)
    (out * weight).sum().backward()
    assert leaf.grad is not None
    assert pool.stride.grad is not None
    return out.detach(), weight, leaf.grad, pool.stride.grad


@pytest.mark.parametrize(("size", "stride"), CASES)
@pytest.mark.parametrize("gradient", ["delta", "full"])
def test_values_and_gradients_are_those_of_the_reference(
    size: tuple[int, ...], stride: tuple[float, ...], gradient: Gradient
) -> None:
    x = image(2, 2, *size)
    for layout in (torch.contiguous_format, INNERMOST[len(size)]):
        given = x.contiguous(memory_format=layout)
        out, weight, grad_x, grad_stride = learn(build(stride, gradient), given)
        truth = reference.pool(x.numpy(), stride, weight.numpy())
        expected = truth.grad_stride_delta if gradient == "delta" else truth.grad_stride_full
        np.testing.assert_allclose(out, truth.out, atol=1e-12)
        np.testing.assert_allclose(grad_x, truth.grad_x, atol=1e-12)
        np.testing.assert_allclose(grad_stride, expected, atol=1e-11)


@pytest.mark.parametrize(("size", "stride"), EACH_RANK)
def test_the_references_full_gradient_is_that_of_a_grid_stretched_a_little(
    size: tuple[int, ...], stride: tuple[float, ...]
) -> None:
    pixels, step = image(1, 1, *size).numpy(), 1e-6
    truth = reference.pool(pixels, stride)
    cells = truth.out.shape[2:]

    def loss(axis: int, change: float) -> float:
        real = [n + change * (i == axis) for i, n in enumerate(cells)]
        return sum(reference.best(pixels[0, 0], cell, real)[0] for cell in np.ndindex(*cells))

    for axis, (n, s) in enumerate(zip(size, stride, strict=True)):
        slope = (loss(axis, step) - loss(axis, -step)) / (2 * step)
        assert truth.grad_stride_full[axis] == pytest.approx(-n / s**2 * slope, rel=1e-5)


def test_the_full_gradient_is_that_of_a_grid_stretched_a_little() -> None:
    x, size, stride = image(2, 2, 9, 8), (9, 8), (1.7, 2.9)
    pool = build(stride, "full")
    out, weight, _, grad_stride = learn(pool, x)
    step, hard = 1e-6, out.shape[2:]

    def loss(axis: int, change: float) -> float:
        real = [float(n) for n in hard]
        real[axis] += change
        rows, columns = (
            (2 * (torch.arange(2 * m).double() + 0.5) / (2 * s) - 1)
            for m, s in zip(hard, real, strict=True)
        )
        grid = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1).expand(2, -1, -1, -1)
        points = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
        return float((F.max_pool2d(points, 2) * weight).sum())

    for axis, (n, s) in enumerate(zip(size, stride, strict=True)):
        slope = (loss(axis, step) - loss(axis, -step)) / (2 * step)
        assert float(grad_stride[axis]) == pytest.approx(-n / s**2 * slope, rel=1e-5)


@pytest.mark.parametrize(("size", "stride"), EACH_RANK)
def test_gradients_of_any_rank_are_those_of_finite_differences(
    size: tuple[int, ...], stride: tuple[float, ...]
) -> None:
    x = image(1, 2, *size).requires_grad_()
    assert torch.autograd.gradcheck(build(stride), (x,))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
def test_a_map_of_several_portions_is_what_its_samples_are(layout: torch.memory_format) -> None:
    pool, x = build((0.95, 0.95)), image(8, 64, 16, 16).contiguous(memory_format=layout)
    out, weight, grad_x, grad_stride = learn(pool, x)
    alone = torch.zeros(2, dtype=torch.float64)
    for n in range(8):
        pool.stride.grad = None
        leaf = x[n : n + 1].clone().requires_grad_()
        value = pool(leaf)
        (value * weight[n : n + 1]).sum().backward()
        torch.testing.assert_close(value[0], out[n])
        torch.testing.assert_close(leaf.grad, grad_x[n : n + 1])
        alone += pool.stride.grad
    torch.testing.assert_close(grad_stride, alone)


@pytest.mark.parametrize(("size", "stride"), EACH_RANK)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_halves_give_nearly_the_gradients_of_their_exact_values(
    size: tuple[int, ...], stride: tuple[float, ...], dtype: torch.dtype
) -> None:
    x = image(2, 3, *size).to(dtype)
    out, _, grad_x, grad_stride = learn(DynOPool(stride), x)
    exact, _, exact_grad_x, exact_grad_stride = learn(DynOPool(stride), x.double())
    assert (out.dtype, grad_x.dtype) == (dtype, dtype)
    torch.testing.assert_close(out.double(), exact, rtol=0.02, atol=0.02)
    # Where two points are as large as each other to a half's eye, the other one may win.
    assert (grad_x.double() - exact_grad_x).abs().mean() < 0.02
    torch.testing.assert_close(grad_stride, exact_grad_stride, rtol=0.02, atol=0.25)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_a_strides_gradient_is_summed_in_more_than_halves(dtype: torch.dtype) -> None:
    slope = torch.arange(32.0)[:, None].expand(3, 7, 32, 11)  # whole numbers, exact in a half
    gradients = []
    for x in (slope.to(dtype), slope.double()):
        pool = DynOPool((1.6, 1.3))
        pool(x).sum().backward()
        gradients.append(pool.stride.grad)
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=0)


@pytest.mark.parametrize(("size", "stride"), EACH_RANK)
def test_under_autocast_a_half_stays_a_half(
    size: tuple[int, ...], stride: tuple[float, ...]
) -> None:
    x = image(2, 3, *size).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out, _, grad_x, _ = learn(DynOPool(stride), x)
    assert (out.dtype, grad_x.dtype) == (torch.bfloat16, torch.bfloat16)


@pytest.mark.parametrize(("size", "stride"), EACH_RANK)
def test_a_batch_may_be_empty(size: tuple[int, ...], stride: tuple[float, ...]) -> None:
    pool = DynOPool(stride)
    out, _, grad_x, grad_stride = learn(pool, torch.zeros(0, 3, *size))
    assert tuple(out.shape) == (0, 3, *pool.hard_size(size))
    assert tuple(grad_x.shape) == (0, 3, *size)
    assert not grad_stride.any()


def test_stride_two_on_an_even_map_is_max_pooling() -> None:
    pools = (F.max_pool1d, F.max_pool2d, F.max_pool3d)
    modules = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
    for size, plain, module in zip(((8,), (8, 12), (4, 6, 8)), pools, modules, strict=True):
        x, pool = torch.randn(2, 3, *size), DynOPool((2.0,) * len(size))
        assert torch.equal(pool(x), plain(x, 2))
        assert isinstance(pool.fixed(size), module)


@pytest.mark.parametrize(("size", "stride"), EACH_RANK)
def test_the_fixed_operator_of_any_rank_is_the_operator(
    size: tuple[int, ...], stride: tuple[float, ...]
) -> None:
    pool, x = build(stride), image(2, 3, *size)
    torch.testing.assert_close(pool.fixed(size)(x), pool(x).detach())


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
def test_a_stride_that_needs_no_gradient_gives_the_same_map(layout: torch.memory_format) -> None:
    x = torch.randn(2, 3, 11, 9).contiguous(memory_format=layout)
    learned, still = DynOPool((1.6, 0.8)), DynOPool((1.6, 0.8))
    still.stride.requires_grad_(False)
    first, second = (x.clone(memory_format=torch.preserve_format) for _ in range(2))
    (learned(first.requires_grad_()) ** 2).sum().backward()
    (still(second.requires_grad_()) ** 2).sum().backward()
    torch.testing.assert_close(first.grad, second.grad)
    assert torch.equal(learned(x), still(x))
    assert learned(x).is_contiguous(memory_format=layout)
    with torch.no_grad():
        assert torch.equal(learned(x), still(x))


@pytest.mark.parametrize(("size", "stride"), EACH_RANK)
def test_a_frozen_one_compiles_whole(size: tuple[int, ...], stride: tuple[float, ...]) -> None:
    torch.compiler.reset()
    fixed, x = build(stride).fixed(size), image(2, 3, *size)
    compiled = torch.compile(fixed, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), fixed(x))


def test_a_compiled_one_learns_alike_and_follows_its_stride() -> None:
    torch.compiler.reset()
    x, plain, other = image(2, 3, 20, 17), build((1.7, 2.3)), build((1.7, 2.3))
    compiled = torch.compile(nn.Sequential(nn.ReLU(), other, nn.Tanh()), backend="aot_eager")
    layers = nn.Sequential(nn.ReLU(), plain, nn.Tanh())
    for stride in ((1.7, 2.3), (1.4, 1.9), (2.6, 1.1)):
        found = []
        for module, pool in ((layers, plain), (compiled, other)):
            pool.stride.data = torch.tensor(stride, dtype=torch.float64)
            pool.stride.grad = None
            leaf = x.clone().requires_grad_()
            out = module(leaf)
            out.square().sum().backward()
            found.append((out.detach(), leaf.grad, pool.stride.grad))
        for mine, theirs in zip(*found, strict=True):
            torch.testing.assert_close(mine, theirs)


def test_a_second_derivative_is_refused_rather_than_wrong() -> None:
    pool = DynOPool((1.7, 1.7))
    (gradient,) = torch.autograd.grad(
        pool(torch.randn(1, 1, 8, 8)).square().sum(), pool.stride, create_graph=True
    )
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()
