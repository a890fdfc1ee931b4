"""Measured values on a grid, and what lies between them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Surface:
    """A function of some variables, linear in each of them between the points of a grid.

    What takes a constant time and a time for each pixel of a map is linear in its height and in
    its width, so that between the points nothing is lost of that.

    Attributes:
        axes: the variables, one a dimension.
        grid: along each axis, growing; one point where the variable does not change.
        values: at the points of the grid.
    """

    axes: tuple[int, ...]
    grid: tuple[tuple[int, ...], ...]
    values: Values

    def at(self, variables: Sequence[int]) -> tuple[float, list[float]]:
        """The value, and its slope along each axis; beyond the grid as in its last cell."""
        weights, slopes = [], []
        for axis, points in zip(self.axes, self.grid, strict=True):
            weight, slope = _between(points, variables[axis])
            weights.append(weight)
            slopes.append(slope)
        along = [
            self._sum([*weights[:axis], slopes[axis], *weights[axis + 1 :]])
            for axis in range(len(weights))
        ]
        return self._sum(weights), along

    def _sum(self, factors: Sequence[Values]) -> float:
        found = self.values
        for factor in factors:
            found = np.tensordot(factor, found, axes=(0, 0))
        return float(found)


def spaced(least: int, most: int, count: int) -> tuple[int, ...]:
    """Whole numbers from `least` to `most` in equal ratios, `count` of them or less.

    >>> spaced(2, 64, 6)
    (2, 4, 8, 16, 32, 64)
    """
    ratio = (most / least) ** (1 / (count - 1))
    return tuple(sorted({round(least * ratio**n) for n in range(count)}))


def _between(points: Sequence[int], value: int) -> tuple[Values, Values]:
    """By point of an axis, its weight in the value and in the slope.

    The slope at a point is the mean of those on both sides.
    """
    weight, slope = np.zeros(len(points)), np.zeros(len(points))
    if len(points) == 1:
        weight[0] = 1
        return weight, slope
    right = min(max(bisect_right(points, value), 1), len(points) - 1)
    cells = [right - 1]
    if value == points[right - 1] and right > 1:
        cells.append(right - 2)
    for cell in cells:
        width = points[cell + 1] - points[cell]
        slope[cell] -= 1 / width / len(cells)
        slope[cell + 1] += 1 / width / len(cells)
    share = (value - points[right - 1]) / (points[right] - points[right - 1])
    weight[right - 1], weight[right] = 1 - share, share
    return weight, slope
