"""Shape Adaptor, pixel by pixel, in the paper's parameter α; gradients by hand."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.reference import pooling

Array = NDArray[np.float64]
Pair = tuple[float, float]
Weights = list[tuple[int, float]]


@dataclass(frozen=True)
class Blended:
    out: Array
    grad_small: Array
    grad_large: Array
    grad_share: float


@dataclass(frozen=True)
class Adapted:
    out: Array
    grad_x: Array
    grad_alpha: float


def sigmoid(alpha: float) -> float:
    return 1 / (1 + math.exp(-alpha))


def stride(alpha: float, r1: float = 0.5, r2: float = 1.0) -> float:
    return 1 / (r1 + (r2 - r1) * sigmoid(alpha))


def stride_slope(alpha: float, r1: float = 0.5, r2: float = 1.0) -> float:
    """d(stride)/d(alpha) = -s^-2 (r2 - r1) sigmoid' ."""
    share = sigmoid(alpha)
    return -(stride(alpha, r1, r2) ** 2) * (r2 - r1) * share * (1 - share)


def share(strides: Pair, r1: Pair, r2: Pair) -> float:
    """The mean of both axes' (1 / stride - r1) / (r2 - r1)."""
    axes = zip(strides, r1, r2, strict=True)
    return sum((1 / s - low) / (high - low) for s, low, high in axes) / 2


def share_slopes(strides: Pair, r1: Pair, r2: Pair) -> list[float]:
    """d(share)/d(stride) of each axis."""
    axes = zip(strides, r1, r2, strict=True)
    return [-1 / s**2 / (high - low) / 2 for s, low, high in axes]


def sources(i: int, n: int, m: int) -> Weights:
    """Of which of n pixels the i-th of m is made: corner pixels lie on corner pixels."""
    position = i * (n - 1) / (m - 1) if m > 1 else 0.0
    before = min(math.floor(position), n - 1)
    part = position - before
    return [(before, 1 - part), (min(before + 1, n - 1), part)]


def resize(x: Array, size: tuple[int, int]) -> Array:
    out = np.zeros((*x.shape[:2], *size))
    for i, j in np.ndindex(*size):
        for row, down in sources(i, x.shape[2], size[0]):
            for column, right in sources(j, x.shape[3], size[1]):
                out[:, :, i, j] += down * right * x[:, :, row, column]
    return out


def resize_gradient(grad: Array, size: tuple[int, int]) -> Array:
    """What `resize` of a map of `size` passes back."""
    back = np.zeros((*grad.shape[:2], *size))
    for i, j in np.ndindex(*grad.shape[2:]):
        for row, down in sources(i, size[0], grad.shape[2]):
            for column, right in sources(j, size[1], grad.shape[3]):
                back[:, :, row, column] += down * right * grad[:, :, i, j]
    return back


def blend(
    small: Array, large: Array, share: float, weight: Array, residual: bool = False
) -> Blended:
    """gain ((1 - share) R small + share R large) at weight's size.

    Gradients are those of sum(out * weight); gain is 2 in the residual form.
    """
    size, gain = weight.shape[2:], 2.0 if residual else 1.0
    one, other = resize(small, size), resize(large, size)
    return Blended(
        out=gain * ((1 - share) * one + share * other),
        grad_small=gain * (1 - share) * resize_gradient(weight, small.shape[2:]),
        grad_large=gain * share * resize_gradient(weight, large.shape[2:]),
        grad_share=float(gain * ((other - one) * weight).sum()),
    )


def limited(share: float, penalty: float, r1: float = 0.5, r2: float = 1.0) -> float:
    """σ' = σ p + r1 / (r2 - r1) (p - 1), with which the scale becomes p s."""
    return share * penalty + r1 / (r2 - r1) * (penalty - 1)


def adapt(
    x: Array, alpha: float, weight: Array, penalty: float = 1.0, residual: bool = False
) -> Adapted:
    """2 x 2 max pooling (r1 = 0.5) and the map itself (r2 = 1), at weight's size."""
    share = sigmoid(alpha)
    small = pooling.pool(x, (2, 2), False, pooling.largest).out
    mixed = blend(small, x, limited(share, penalty), weight, residual)
    through = pooling.pool(x, (2, 2), False, pooling.largest, mixed.grad_small).grad_x
    slope = penalty * share * (1 - share)
    return Adapted(mixed.out, mixed.grad_large + through, mixed.grad_share * slope)
