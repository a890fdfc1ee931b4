"""Strided, average and max pooling, window by window; windows do not overlap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Pair = tuple[int, int]


@dataclass(frozen=True)
class Pooled:
    out: Array
    grad_x: Array


def count(n: int, step: int, ceil: bool) -> int:
    """How many windows an axis has; a map smaller than one has one."""
    whole, rest = divmod(n, step)
    return whole + 1 if rest and (ceil or whole == 0) else whole


def windows(size: Pair, step: Pair, ceil: bool) -> Iterator[tuple[Pair, list[Pair]]]:
    """Every output pixel with the input pixels of its window that lie on the map."""
    for i in range(count(size[0], step[0], ceil)):
        for j in range(count(size[1], step[1], ceil)):
            rows = range(i * step[0], min((i + 1) * step[0], size[0]))
            columns = range(j * step[1], min((j + 1) * step[1], size[1]))
            yield (i, j), [(r, c) for r in rows for c in columns]


Shares = Callable[[Array, list[Pair]], dict[Pair, float]]
"""Which pixels of a window make its result, and how much of each: also the gradient."""


def pool(x: Array, step: Pair, ceil: bool, shares: Shares, weight: Array | None = None) -> Pooled:
    """The operator and the gradient of sum(out * weight) in x; weight 1 if not given."""
    sizes = [count(n, s, ceil) for n, s in zip(x.shape[2:], step, strict=True)]
    out = np.zeros((*x.shape[:2], *sizes))
    weight = np.ones_like(out) if weight is None else weight
    grad_x = np.zeros_like(x)
    for n, c in np.ndindex(*x.shape[:2]):
        for (i, j), pixels in windows((x.shape[2], x.shape[3]), step, ceil):
            for (row, column), share in shares(x[n, c], pixels).items():
                out[n, c, i, j] += share * x[n, c, row, column]
                grad_x[n, c, row, column] += share * weight[n, c, i, j]
    return Pooled(out, grad_x)


def first(plane: Array, pixels: list[Pair]) -> dict[Pair, float]:
    """Strided: the upper left pixel."""
    del plane
    return {pixels[0]: 1.0}


def mean(plane: Array, pixels: list[Pair]) -> dict[Pair, float]:
    """Average: all pixels that are there, alike."""
    del plane
    return {pixel: 1 / len(pixels) for pixel in pixels}


def largest(plane: Array, pixels: list[Pair]) -> dict[Pair, float]:
    """Max: the first of the largest, row by row."""
    best = pixels[0]
    for pixel in pixels:
        if plane[pixel] > plane[best]:
            best = pixel
    return {best: 1.0}
