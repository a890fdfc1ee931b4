"""DynOPool, cell by cell and point by point, in the paper's normalised coordinates."""

from __future__ import annotations

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


def pool(x: Array, stride: tuple[float, float], weight: Array | None = None) -> Pooled:
    """The operator and the gradients of sum(out * weight); weight 1 if not given."""
    soft = [soft_size(n, s) for n, s in zip(x.shape[2:], stride, strict=True)]
    size = [int(np.round(v)) for v in soft]
    out = np.zeros((*x.shape[:2], *size))
    weight = np.ones_like(out) if weight is None else weight
    grad_x = np.zeros_like(x)
    grad_size = np.zeros((2, 2))  # (delta, full) x (height, width)
    for n, c, i, j in np.ndindex(*out.shape):
        value, at = best(x[n, c], i, j, size)
        out[n, c, i, j] = value
        g = weight[n, c, i, j]
        spread(grad_x[n, c], at, g)
        grad_size += g * slopes(x[n, c], at)
    chain = np.array(
        [
            -n / s**2 if n / s > min(1.5, n) else 0.0
            for n, s in zip(x.shape[2:], stride, strict=True)
        ]
    )
    return Pooled(out, grad_x, grad_size[0] * chain, grad_size[1] * chain)


def best(plane: Array, i: int, j: int, size: list[int]) -> tuple[float, tuple[Point, Point]]:
    found: tuple[float, tuple[Point, Point]] | None = None
    for side_h in (-1, 1):
        for side_w in (-1, 1):
            at = (
                point(i, side_h, plane.shape[0], size[0]),
                point(j, side_w, plane.shape[1], size[1]),
            )
            value = sum(w * plane[r, c] for r, c, w in corners(at))
            if found is None or value > found[0]:
                found = (value, at)
    assert found is not None
    return found


def corners(at: tuple[Point, Point]) -> list[tuple[int, int, float]]:
    v, h = at
    return [
        (v.first, h.first, (1 - v.part) * (1 - h.part)),
        (v.first, h.second, (1 - v.part) * h.part),
        (v.second, h.first, v.part * (1 - h.part)),
        (v.second, h.second, v.part * h.part),
    ]


def spread(grad: Array, at: tuple[Point, Point], g: float) -> None:
    for r, c, w in corners(at):
        grad[r, c] += g * w


def slopes(plane: Array, at: tuple[Point, Point]) -> Array:
    v, h = at
    a, b = plane[v.first, h.first], plane[v.first, h.second]
    c, d = plane[v.second, h.first], plane[v.second, h.second]
    down = (1 - h.part) * (c - a) + h.part * (d - b)
    right = (1 - v.part) * (b - a) + v.part * (d - c)
    return np.array(
        [
            [v.speed_delta * down, h.speed_delta * right],
            [v.speed_full * down, h.speed_full * right],
        ]
    )
