"""SpectralPool against its slow reference, and what is peculiar to it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from resnas.errors import InvalidResizer
from resnas.resizers._base import Site
from resnas.resizers.spectral import SpectralPool
from tests.reference import spectral as reference

CASES: list[tuple[tuple[int, ...], tuple[float, ...]]] = [
    ((8, 8), (2.0, 2.0)),
    ((13, 11), (2.0, 2.3)),
    ((9, 9), (1.0, 1.0)),
    ((10, 7), (3.3, 1.0)),
    ((3, 3), (5.0, 5.0)),
    ((1, 6), (2.0, 4.0)),
    ((1, 1), (2.0, 2.0)),
    ((12,), (1.7,)),
    ((11,), (2.0,)),
    ((6, 9, 8), (1.5, 2.0, 2.5)),
    ((5, 4, 7), (1.0, 1.0, 1.0)),
]


@pytest.mark.parametrize(("size", "stride"), CASES)
def test_values_and_gradients_are_those_of_the_reference(
    size: tuple[int, ...], stride: tuple[float, ...]
) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 2, *size, dtype=torch.float64, requires_grad=True)
    pool = SpectralPool(stride)
    out = pool(x)
    weight = torch.randn_like(out)
    (out * weight).sum().backward()
    assert tuple(out.shape[2:]) == pool.hard_size(size) == reference.output_size(size, stride)
    np.testing.assert_allclose(out.detach(), reference.pool(x.detach().numpy(), stride), atol=1e-12)
    wanted = reference.gradient(size, stride, weight.numpy())
    np.testing.assert_allclose(x.grad, wanted, atol=1e-12)


@pytest.mark.parametrize(("size", "stride"), CASES)
def test_its_macs_are_those_of_its_matrix_products(
    size: tuple[int, ...], stride: tuple[float, ...]
) -> None:
    pool, x = SpectralPool(stride), torch.randn(1, 5, *size)
    fixed = pool.fixed(size)
    with FlopCounterMode(display=False) as counter:
        out = fixed(x)
    torch.testing.assert_close(out, pool(x), rtol=1e-5, atol=1e-6)
    assert pool.macs(5, size, tuple(out.shape[2:])) == counter.get_total_flops() // 2


def test_a_low_wave_is_resampled_and_a_high_one_vanishes() -> None:
    fine, coarse = torch.arange(16.0) / 16, torch.arange(8.0) / 8
    for turns, kept in ((2, 1.0), (6, 0.0)):
        wave = torch.cos(2 * math.pi * turns * fine)[None, None, :, None].expand(1, 1, 16, 4)
        out = SpectralPool((2.0, 1.0))(wave)
        expected = (
            2 * kept * torch.cos(2 * math.pi * turns * coarse)
        )  # half the area, twice as high
        torch.testing.assert_close(out[0, 0, :, 0], expected, rtol=1e-5, atol=1e-5)


def test_autocast_gives_what_half_precision_maps_give() -> None:
    x = torch.randn(2, 3, 22, 26)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = SpectralPool((1.7, 1.3))(x)
    assert torch.equal(cast, SpectralPool((1.7, 1.3))(x.bfloat16()))
    exact = SpectralPool((1.7, 1.3))(x)
    assert (cast.float() - exact).abs().max() < 0.02 * exact.abs().max()


def test_its_stride_is_not_learned() -> None:
    pool = SpectralPool((2.0, 2.5))
    assert not pool.stride.requires_grad
    pool(torch.randn(1, 1, 8, 8, requires_grad=True)).sum().backward()
    assert pool.stride.grad is None


@pytest.mark.parametrize(
    ("size_in", "size_out", "started"),
    [
        ((32, 32), (16, 16), (16, 16)),
        ((16, 16), (6, 5), (6, 5)),
        ((28, 28), (7, 7), (6, 7)),
        ((35, 33), (18, 17), (18, 17)),
        ((4, 4), (4, 4), (4, 4)),
    ],
)
def test_it_starts_at_the_human_size_or_at_the_even_height_below(
    size_in: tuple[int, int], size_out: tuple[int, int], started: tuple[int, int]
) -> None:
    pool = SpectralPool.from_site(Site("stage2", 3, (2, 2), size_in, size_out))
    assert pool.hard_size(size_in) == started


def test_members_of_a_group_take_the_leaders_size() -> None:
    pool = SpectralPool((2.0, 2.0))
    for size in ((20, 24), (33, 40), (16, 17), (12, 9)):  # larger than 16 x 20, equal, smaller
        x, lead = torch.randn(1, 2, *size), torch.randn(1, 2, 33, 40)
        assert pool.hard_size(size, (33, 40)) == tuple(pool(x, lead).shape[2:]) == (16, 20)
        torch.testing.assert_close(
            pool.fixed(size, (33, 40))(x), pool(x, lead), atol=1e-5, rtol=1e-5
        )


@pytest.mark.parametrize("size", [(12, 9), (11, 10)])
def test_a_member_that_has_to_enlarge_puts_waves_between_the_pixels(size: tuple[int, int]) -> None:
    pool = SpectralPool((2.0, 2.0))
    rows, columns = (torch.arange(n) / n for n in size)
    turns = 2 * math.pi * (2 * rows[:, None] - 3 * columns)
    out = pool(torch.cos(turns)[None, None], torch.zeros(1, 1, 32, 40))[0, 0]
    rows, columns = torch.arange(16) / 16, torch.arange(20) / 20
    expected = torch.cos(2 * math.pi * (2 * rows[:, None] - 3 * columns)) * math.prod(size) / 320
    torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("offset", [(1, 0), (-1, 2)])
def test_a_member_with_a_margin_is_that_much_larger(offset: tuple[int, int]) -> None:
    pool = SpectralPool((2.0, 2.0))
    pool.offset = offset
    expected = (8 + offset[0], 10 + offset[1])
    assert pool.hard_size((16, 20)) == expected
    assert tuple(pool(torch.randn(1, 1, 16, 20)).shape[2:]) == expected


@pytest.mark.parametrize("stride", [(0.9, 2.0), (math.nan, 1.0), (2.0, math.inf), (-1.0,), (0.0,)])
def test_strides_that_do_not_shrink_are_refused(stride: tuple[float, ...]) -> None:
    with pytest.raises(InvalidResizer, match=r"SpectralPool.*at least 1"):
        SpectralPool(stride)
