"""DynOPool, cell by cell and point by point, in the paper's normalised coordinates; any rank.

A point lies between two pixels on each axis: its value is the sum over the 2^rank corners of the
product of the axes' shares, (1 - part) for the first pixel and part for the second. Its derivative
along one axis replaces that axis' shares by -1 and +1.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Pooled:
    out: Array
    grad_x: Array
    grad_stride_delta: Array
    grad_stride_full: Array


@dataclass(frozen=True)
class Point:
    """One point of one axis: the pixels around it, its part of the way, d(position)/d(size)."""

    first: int
    second: int
    part: float
    speed_delta: float
    speed_full: float


def soft_size(n: int, stride: float) -> float:
    return max(n / stride, min(1.5, n))


def point(cell: int, side: int, n: int, cells: int) -> Point:
    centre = -1 + (2 * cell + 1) / cells
    position = ((centre + side / (2 * cells) + 1) * n - 1) / 2
    delta_speed = side * -1 / (2 * cells**2) * n / 2
    centre_speed = -(2 * cell + 1) / cells**2 * n / 2
    if position <= 0 or position >= n - 1:
        delta_speed = centre_speed = 0.0
    position = min(max(position, 0.0), n - 1.0)
    first = int(np.floor(position))
    second = min(first + 1, n - 1)
    return Point(first, second, position - first, delta_speed, delta_speed + centre_speed)


def pool(x: Array, stride: tuple[float, ...], weight: Array | None = None) -> Pooled:
    """The operator and the gradients of sum(out * weight); weight 1 if not given."""
    sizes = x.shape[2:]
    soft = [soft_size(n, s) for n, s in zip(sizes, stride, strict=True)]
    cells = [int(np.round(v)) for v in soft]
    out = np.zeros((*x.shape[:2], *cells))
    weight = np.ones_like(out) if weight is None else weight
    grad_x = np.zeros_like(x)
    grad_size = np.zeros((2, len(stride)))  # (delta, full) x axes
    for index in np.ndindex(*out.shape):
        (n, c), cell = index[:2], index[2:]
        value, at = best(x[n, c], cell, cells)
        out[index] = value
        g = weight[index]
        for pixel, share in corners(at):
            grad_x[n, c][pixel] += g * share
        grad_size += g * slopes(x[n, c], at)
    chain = np.array(
        [-n / s**2 if n / s > min(1.5, n) else 0.0 for n, s in zip(sizes, stride, strict=True)]
    )
    return Pooled(out, grad_x, grad_size[0] * chain, grad_size[1] * chain)


def best(pixels: Array, cell: tuple[int, ...], cells: list[int]) -> tuple[float, list[Point]]:
    """The largest value of a cell's points, and the first point that has it."""
    found: tuple[float, list[Point]] | None = None
    for sides in itertools.product((-1, 1), repeat=len(cell)):
        at = [point(*of_axis) for of_axis in zip(cell, sides, pixels.shape, cells, strict=True)]
        value = sum(share * pixels[pixel] for pixel, share in corners(at))
        if found is None or value > found[0]:
            found = (value, at)
    assert found is not None
    return found


def corners(at: list[Point]) -> Iterator[tuple[tuple[int, ...], float]]:
    """The pixels around a point, each with its share in the value."""
    for ends in itertools.product((0, 1), repeat=len(at)):
        pixel = tuple((p.first, p.second)[end] for p, end in zip(at, ends, strict=True))
        yield pixel, math.prod((1 - p.part, p.part)[end] for p, end in zip(at, ends, strict=True))


def slopes(pixels: Array, at: list[Point]) -> Array:
    """d(value)/d(size) by (delta, full) and axis."""
    result = np.zeros((2, len(at)))
    for axis, moving in enumerate(at):
        others = at[:axis] + at[axis + 1 :]
        slope = 0.0
        for pixel, share in corners(others):
            before, behind = pixel[:axis], pixel[axis:]
            rise = (
                pixels[(*before, moving.second, *behind)] - pixels[(*before, moving.first, *behind)]
            )
            slope += share * rise
        result[:, axis] = moving.speed_delta * slope, moving.speed_full * slope
    return result
