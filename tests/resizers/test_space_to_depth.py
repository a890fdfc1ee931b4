"""Space to depth moves every number once, in the authors' order."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from resnas.errors import InvalidResizer
from resnas.resizers._base import Site
from resnas.resizers.space_to_depth import SpaceToDepth
from tests.reference import space_to_depth as reference

SHAPES = [
    (2, (2, 3, 4, 6)),
    (2, (1, 1, 2, 2)),
    (3, (2, 2, 9, 6)),
    (1, (2, 2, 3, 5)),
    (4, (1, 2, 8, 4)),
]
FORMATS = [torch.contiguous_format, torch.channels_last]


@pytest.mark.parametrize(("block", "shape"), SHAPES)
@pytest.mark.parametrize("memory_format", FORMATS, ids=str)
def test_values_and_gradient_are_those_of_the_slow_reference(block, shape, memory_format):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape)
    leaf = torch.from_numpy(x).to(memory_format=memory_format).requires_grad_()
    out = SpaceToDepth(block)(leaf)
    np.testing.assert_array_equal(out.detach().numpy(), reference.fold(x, block))
    weight = rng.standard_normal(out.shape)
    (out * torch.from_numpy(weight)).sum().backward()
    wanted = reference.fold_gradient(shape, block, weight)
    np.testing.assert_array_equal(leaf.grad.numpy(), wanted)


def test_the_order_of_channels_is_not_that_of_pixel_unshuffle():
    x = torch.arange(32.0).view(1, 2, 4, 4)
    shuffled = F.pixel_unshuffle(x, 2)
    order = [c * 4 + 2 * row + column for column in (0, 1) for row in (0, 1) for c in (0, 1)]
    assert torch.equal(SpaceToDepth()(x), shuffled[:, order])
    assert not torch.equal(SpaceToDepth()(x), shuffled)


@pytest.mark.parametrize("memory_format", FORMATS, ids=str)
def test_the_memory_format_of_the_map_is_kept_forward_and_backward(memory_format):
    x = torch.randn(2, 3, 8, 8).to(memory_format=memory_format).requires_grad_()
    out = SpaceToDepth()(x)
    assert out.is_contiguous(memory_format=memory_format)
    (gradient,) = torch.autograd.grad(out, x, torch.randn_like(out))
    assert gradient.is_contiguous(memory_format=memory_format)


def test_an_empty_batch_stays_empty():
    assert SpaceToDepth()(torch.zeros(0, 3, 4, 4)).shape == (0, 12, 2, 2)


@pytest.mark.parametrize("size", [(5, 4), (4, 5), (1, 1)])
def test_a_map_that_does_not_divide_is_refused_with_the_shapes_found_and_needed(size):
    for ask in (
        lambda: SpaceToDepth()(torch.zeros(1, 3, *size)),
        lambda: SpaceToDepth().hard_size(size),
    ):
        with pytest.raises(InvalidResizer, match=r"\d×\d .* 2×2.*multiples of 2") as refused:
            ask()
        assert f"{size[0]}×{size[1]}" in str(refused.value)


@pytest.mark.parametrize("block", [0, -2, 1.5, float("nan"), float("inf")])
def test_a_block_that_is_no_whole_number_is_refused(block):
    with pytest.raises(InvalidResizer):
        SpaceToDepth(block)


@pytest.mark.parametrize("stride", [(2.0, 1.0), (2.5, 2.5), (2.0,), (2.0, 2.0, 2.0)])
def test_a_stride_that_is_no_block_is_refused(stride):
    with pytest.raises(InvalidResizer, match="rows as columns"):
        SpaceToDepth.at(stride)


def test_a_site_of_another_size_is_refused():
    with pytest.raises(InvalidResizer, match="do not make"):
        SpaceToDepth.from_site(Site("conv", 3, (2, 2), (16, 16), (7, 7)))


def test_it_gives_block_squared_channels_and_has_nothing_to_learn():
    fold = SpaceToDepth(3)
    assert fold.widening == 9
    assert fold.stride.tolist() == [3.0, 3.0]
    assert not fold.stride.requires_grad
    assert fold.hard_size((9, 12)) == (3, 4)
