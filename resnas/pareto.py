"""Pareto terms for points (accuracy, cost): accuracy is to be high, cost to be low.

A point dominates another one where it is at least as accurate and at most as expensive, and better
in one of the two. The front is what nothing dominates.

>>> points = [(0.90, 1.0), (0.95, 2.0), (0.94, 3.0), (0.96, 4.0)]
>>> front(points)
[0, 1, 3]
>>> best_under(points, budget=3.0)
1
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from resnas.errors import InvalidSpec

Point = tuple[float, float]
"""Accuracy and cost, in any units."""

_Array = NDArray[np.float64]


def front(points: Sequence[Point]) -> list[int]:
    """Indices of the points that no other one dominates, cheapest first.

    Of equal points the first one is kept. Takes O(n log n): sorted by cost, a point is on the front
    where it is more accurate than everything before it.

    Raises:
        InvalidSpec: a point is not a pair of numbers, or holds NaN.
    """
    accuracy, cost = _columns(points)
    order = np.lexsort((np.arange(len(cost)), -accuracy, cost))
    before = np.maximum.accumulate(np.concatenate(([-np.inf], accuracy[order])))[:-1]
    better = accuracy[order] > before
    if len(order):
        better[0] = True  # even an accuracy of -inf is on the front where nothing is cheaper
    return [int(index) for index in order[better]]


def hypervolume(points: Sequence[Point], reference: Point) -> float:
    """Area that the front dominates, bounded by `reference` (accuracy, cost).

    With the front sorted by cost, c_1 < c_2 < ..., and c_{n+1} the reference's cost: the sum of
    (a_i - a_ref) * (c_{i+1} - c_i). Points that do not dominate the reference add nothing.

    >>> hypervolume([(0.9, 1.0), (1.0, 3.0)], reference=(0.5, 4.0))  # 0.4 * 2 + 0.5 * 1
    1.3

    Raises:
        InvalidSpec: a point or the reference is not a pair of numbers, or holds NaN.
    """
    lowest, highest = (float(column[0]) for column in _columns([reference]))
    accuracy, cost = _columns([points[index] for index in front(points)])
    inside = (accuracy > lowest) & (cost < highest)
    widths = np.diff(np.append(cost[inside], highest))
    return float(np.sum((accuracy[inside] - lowest) * widths))


def knee(points: Sequence[Point]) -> int | None:
    """Index of the front's point that lies farthest beyond the line between the front's ends.

    Both axes are scaled to 0..1 over the front, so the line is the diagonal and the distance above
    it is proportional to (scaled accuracy - scaled cost). None where the front has fewer than three
    points, or where none lies above that line: then it has no knee.

    >>> knee([(0.0, 0.0), (0.9, 0.2), (1.0, 1.0)])
    1

    Raises:
        InvalidSpec: a point is not a pair of numbers, or holds NaN.
    """
    indices = front(points)
    if len(indices) < 3:
        return None
    accuracy, cost = _columns([points[index] for index in indices])
    above = (accuracy - accuracy[0]) / np.ptp(accuracy) - (cost - cost[0]) / np.ptp(cost)
    farthest = int(np.argmax(above[1:-1])) + 1
    return indices[farthest] if above[farthest] > 0 else None


def best_under(points: Sequence[Point], budget: float) -> int | None:
    """Index of the most accurate point that costs at most `budget`; None where there is none.

    Of equally accurate points the cheaper one, of equal points the first.

    Raises:
        InvalidSpec: a point is not a pair of numbers, or holds NaN; the budget is NaN.
    """
    if np.isnan(budget):
        raise InvalidSpec("budget", "it is NaN", "Pass a number in the unit of the costs")
    affordable = [index for index in front(points) if points[index][1] <= budget]
    return affordable[-1] if affordable else None


def _columns(points: Sequence[Point]) -> tuple[_Array, _Array]:
    """Accuracies (n,) and costs (n,)."""
    table = np.asarray(points, dtype=np.float64)
    if not len(points):
        table = table.reshape(0, 2)
    if table.ndim != 2 or table.shape[1] != 2:
        raise InvalidSpec(
            "points", f"they have the shape {table.shape}", "Pass pairs (accuracy, cost)"
        )
    broken = np.flatnonzero(np.isnan(table).any(axis=1))
    if len(broken):
        raise InvalidSpec(
            f"points[{broken[0]}]", f"it is {points[broken[0]]!r}", "Leave failed trials out"
        )
    return table[:, 0], table[:, 1]
