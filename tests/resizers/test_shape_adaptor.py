from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from resnas.errors import InvalidResizer
from resnas.polynomial import Polynomial
from resnas.resizers._base import Site
from resnas.resizers.shape_adaptor import ShapeAdaptor, initial_alpha, stride_at
from tests.reference import pooling as pooling_reference
from tests.reference import shape_adaptor as reference

Pair = tuple[float, float]
CASES: list[tuple[tuple[int, int], Pair, Pair, Pair]] = [
    ((9, 7), (1.61, 1.42), (0.5, 0.5), (1.0, 1.0)),
    ((12, 13), (2.0, 1.0), (0.5, 0.5), (1.0, 1.0)),
    ((16, 11), (2.9, 1.3), (0.25, 0.5), (1.0, 1.0)),
    ((1, 6), (1.2, 1.7), (0.5, 0.5), (1.0, 1.0)),
    ((5, 4), (0.6, 0.8), (0.5, 1.0), (2.0, 3.0)),
]


def adaptor(stride: Pair, small: Pair = (0.5, 0.5), large: Pair = (1.0, 1.0)) -> ShapeAdaptor:
    made = ShapeAdaptor(stride, small, large).double()
    made.stride.data = torch.tensor(stride, dtype=torch.float64)
    return made


def normal(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def pixels(*size: float) -> Tensor:
    return torch.tensor(size, dtype=torch.float64)


def slope_of_size(made: ShapeAdaptor, *size: float) -> list[float]:
    (gradient,) = torch.autograd.grad(made.soft_size(pixels(*size)).sum(), made.stride)
    return gradient.tolist()


@pytest.mark.parametrize(("size", "stride", "small", "large"), CASES)
def test_values_and_gradients_are_those_of_the_reference(
    size: tuple[int, int], stride: Pair, small: Pair, large: Pair
) -> None:
    made = adaptor(stride, small, large)
    x = normal(2, 2, *size).requires_grad_()
    out = made(x)
    weight = normal(*out.shape, seed=1)
    (out * weight).sum().backward()

    window = tuple(min(n, round(1 / r)) for n, r in zip(size, small, strict=True))
    start = x.detach().numpy()
    branch = pooling_reference.pool(start, window, False, pooling_reference.largest).out
    share = reference.share(stride, small, large)
    truth = reference.blend(branch, start, share, weight.numpy())
    through = pooling_reference.pool(
        start, window, False, pooling_reference.largest, truth.grad_small
    )
    slopes = np.array(reference.share_slopes(stride, small, large))
    assert x.grad is not None
    assert made.stride.grad is not None
    np.testing.assert_allclose(out.detach(), truth.out, atol=1e-12)
    np.testing.assert_allclose(x.grad, truth.grad_large + through.grad_x, atol=1e-12)
    np.testing.assert_allclose(made.stride.grad, truth.grad_share * slopes, atol=1e-11)


def test_the_strides_gradient_is_that_of_a_small_step_at_the_same_size() -> None:
    made, x = adaptor((1.37, 1.61)), normal(1, 3, 14, 15)
    weight = normal(1, 3, 10, 9, seed=1)
    (made(x) * weight).sum().backward()
    for axis in (0, 1):
        ends = []
        for step in (1e-6, -1e-6):
            stride = [1.37, 1.61]
            stride[axis] += step
            ends.append((adaptor((stride[0], stride[1]))(x) * weight).sum().item())
        assert made.stride.grad is not None
        assert float(made.stride.grad[axis]) == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6)


def test_with_equal_strides_the_gradients_sum_is_the_published_one_of_alpha() -> None:
    alpha = 0.43
    made = adaptor((stride_at(alpha), stride_at(alpha)))
    x = normal(2, 2, 13, 13)
    out = made(x)
    weight = normal(*out.shape, seed=1)
    (out * weight).sum().backward()
    truth = reference.adapt(x.numpy(), alpha, weight.numpy())
    assert made.stride.grad is not None
    found = float(made.stride.grad.sum()) * reference.stride_slope(alpha)
    assert found == pytest.approx(truth.grad_alpha, rel=1e-10)
    assert made.alpha == pytest.approx((alpha, alpha))


@pytest.mark.parametrize("alpha", [-30.0, -0.346, 0.0, 2.19])
def test_alpha_and_stride_say_the_same(alpha: float) -> None:
    assert stride_at(alpha, 0.25, 2.0) == pytest.approx(reference.stride(alpha, 0.25, 2.0))
    assert 1 <= stride_at(alpha) <= 2


def test_alpha_is_infinite_at_the_bounds() -> None:
    assert ShapeAdaptor((2.0, 1.0)).alpha == (-math.inf, math.inf)
    assert stride_at(-1e9) == 2


def test_maps_grow_square_on_request() -> None:
    made = ShapeAdaptor((4 / 3, 1.9), square=True)
    assert made.hard_size((12, 20)) == (9, 9)
    assert made.soft_size(torch.tensor([12.0, 20.0])).tolist() == pytest.approx([9.0, 9.0])
    assert made(torch.randn(1, 2, 12, 20)).shape == (1, 2, 9, 9)


def test_a_residual_sum_is_twice_the_blend() -> None:
    x = torch.randn(1, 2, 9, 9)
    plain, residual = ShapeAdaptor(), ShapeAdaptor(residual=True)
    torch.testing.assert_close(residual(x), 2 * plain(x))
    torch.testing.assert_close(residual.fixed((9, 9))(x), residual(x).detach())


def test_sizes_are_truncated_and_never_below_a_pixel() -> None:
    made = ShapeAdaptor((1.9, 1.5))
    assert made.hard_size((11, 11)) == (5, 7)
    assert made.hard_size((1, 1)) == (1, 1)


def test_a_cost_moves_the_stride_unless_told_otherwise() -> None:
    assert slope_of_size(adaptor((1.5, 1.5)), 18, 9) == pytest.approx([-8.0, -4.0])
    published = ShapeAdaptor((1.5, 1.5), cost_reaches=False)
    size = torch.tensor([18.0, 9.0], requires_grad=True)
    published.soft_size(size).sum().backward()
    assert published.stride.grad is None
    assert size.grad is not None
    torch.testing.assert_close(size.grad, torch.tensor([2 / 3, 2 / 3]))


def test_a_stride_at_a_bound_comes_back_and_one_beyond_it_is_brought_back() -> None:
    made = ShapeAdaptor((2.0, 1.0))
    x = torch.randn(1, 2, 12, 12)
    for _ in range(2):
        assert all(slope < 0 for slope in slope_of_size(made, 12, 12))
        (gradient,) = torch.autograd.grad(made(x).square().sum(), made.stride)
        assert (gradient != 0).all()
        with torch.no_grad():
            made.stride.copy_(torch.tensor([2.3, 0.7]))
        assert slope_of_size(made, 12, 12) == [0.0, 0.0]
        assert made.hard_size((12, 12)) == (6, 12)
        made.clip_stride((12, 12))
        assert made.stride.tolist() == [2.0, 1.0]


@pytest.mark.parametrize("stride", [(1.0, 1.1), (3.9, 3.7)])
def test_a_stride_is_clipped_to_where_its_size_may_be(stride: Pair) -> None:
    made = ShapeAdaptor(stride, small=(0.25, 0.25))
    made.smallest, made.largest = (3.0, 4.0), (7.0, 7.5)
    outside = made.hard_size((10, 13))
    made.clip_stride((10, 13))
    assert made.hard_size((10, 13)) == outside
    assert all(slope < 0 for slope in slope_of_size(made, 10, 13))


def test_a_fixed_adaptor_at_a_bound_is_one_branch() -> None:
    x = torch.randn(2, 3, 8, 10)
    assert torch.equal(ShapeAdaptor((2.0, 2.0)).fixed((8, 10))(x), F.max_pool2d(x, 2))
    assert torch.equal(ShapeAdaptor((1.0, 1.0)).fixed((8, 10))(x), x)


def test_branches_may_be_made_elsewhere() -> None:
    made = ShapeAdaptor((0.7, 0.7), small=(0.5, 0.5), large=(2.0, 2.0))
    small, large = torch.randn(1, 2, 5, 6), torch.randn(1, 2, 20, 24)
    out = made.mix(small, large)
    share = reference.share((0.7, 0.7), (0.5, 0.5), (2.0, 2.0))
    truth = reference.blend(small.numpy(), large.numpy(), share, np.ones((1, 2, 14, 17)))
    np.testing.assert_allclose(out.detach(), truth.out, atol=1e-5)


def test_members_of_a_group_take_the_leaders_size() -> None:
    made = ShapeAdaptor((1.5, 1.5))
    own, lead = torch.randn(1, 2, 35, 20), torch.randn(1, 2, 33, 21)
    assert made.hard_size((35, 20), (33, 21)) == made.hard_size((33, 21)) == (22, 14)
    assert made(own, lead).shape[2:] == (22, 14)
    torch.testing.assert_close(made.fixed((35, 20), (33, 21))(own), made(own, lead).detach())


def test_a_member_follows_its_leader_to_every_bound() -> None:
    leader = ShapeAdaptor.from_site(Site("conv", 3, (2, 2), (33, 33), (17, 17)))
    member = ShapeAdaptor.from_site(Site("pool", 3, (2, 2), (35, 35), (17, 17)))
    member.follow(leader)
    for stride in (1e-3, 1.94, 1e3):
        with torch.no_grad():
            leader.stride.fill_(stride)
        assert member.hard_size((35, 35), (33, 33)) == leader.hard_size((33, 33))


@pytest.mark.parametrize(
    ("size_in", "size_out"),
    [((33, 35), (17, 17)), ((224, 224), (56, 56)), ((2, 2), (1, 1)), ((9, 8), (9, 16))],
)
def test_it_starts_at_the_human_size_with_room_on_both_sides(
    size_in: tuple[int, int], size_out: tuple[int, int]
) -> None:
    made = ShapeAdaptor.from_site(Site("stem", 3, (2, 2), size_in, size_out))
    assert made.hard_size(size_in) == size_out
    assert made(torch.randn(1, 1, *size_in)).shape[2:] == size_out
    assert all(slope < 0 for slope in slope_of_size(made, *size_in))
    ends = []
    for stride in (1e3, 1e-3):
        with torch.no_grad():
            made.stride.fill_(stride)
        ends.append(made.hard_size(size_in))
    for least, human, most in zip(ends[0], size_out, ends[1], strict=True):
        assert least < human < most or human == least == 1


def test_it_costs_four_macs_for_each_value_of_each_branch() -> None:
    h, w = Polynomial.variable(0), Polynomial.variable(1)
    assert ShapeAdaptor().macs(64, (32, 32), (h, w)) == 8 * 64 * h * w


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_the_memory_format_stays(memory_format: torch.memory_format) -> None:
    x = torch.randn(2, 4, 12, 10).to(memory_format=memory_format).requires_grad_()
    assert ShapeAdaptor()(x).is_contiguous(memory_format=memory_format)


SCALES: list[tuple[Pair, Pair]] = [
    ((0.5, 0.0), (1.0, 1.0)),
    ((0.5, 0.5), (1.0, 0.5)),
    ((0.5, math.nan), (1.0, 1.0)),
    ((0.5, 0.5), (1.0, math.inf)),
]


@pytest.mark.parametrize(("small", "large"), SCALES)
def test_scales_that_leave_nothing_between_them_are_refused(small: Pair, large: Pair) -> None:
    with pytest.raises(InvalidResizer, match="0 < small < large"):
        ShapeAdaptor((1.5, 1.5), small, large)


@pytest.mark.parametrize("stride", list(itertools.permutations((0.9, 1.5, 2.1), 2)))
def test_a_stride_outside_of_the_branches_is_refused(stride: Pair) -> None:
    with pytest.raises(InvalidResizer, match=r"\(1\.0, 1\.0\) to \(2\.0, 2\.0\)"):
        ShapeAdaptor(stride)


def test_branches_that_do_not_fit_each_other_are_refused() -> None:
    with pytest.raises(InvalidResizer, match=r"\(1, 2, 4, 4\).*\(1, 3, 8, 8\)"):
        ShapeAdaptor().mix(torch.zeros(1, 2, 4, 4), torch.zeros(1, 3, 8, 8))
    with pytest.raises(InvalidResizer, match="int64"):
        ShapeAdaptor().mix(torch.zeros(1, 2, 4, 4).long(), torch.zeros(1, 2, 8, 8))


@pytest.mark.parametrize(("size_out", "count"), [(32, 4), (64, 1), (8, 0), (0, 3)])
def test_a_first_alpha_that_does_not_exist_is_refused(size_out: int, count: int) -> None:
    with pytest.raises(InvalidResizer, match="initial_alpha"):
        initial_alpha(32, size_out, count)
