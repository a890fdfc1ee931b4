"""Sizes on a budget, by explicit loops.

A network whose learnable maps enter its cost as areas costs c = c₀ + Σ_l k_l · h_l · w_l. With
sizes z = t·u, each kept within its bounds, the scale t solves c(t·u) = B. In the coordinates
v = 2·log u, the gradient of a loss L(z(v)) follows by differences of v: t is solved anew for each.

Among whole sizes, the point wanted is the costliest within the budget of all combinations around
the real sizes; of equal costs, the one whose logarithms are nearest.
"""

import itertools
import math

import numpy as np


def area_cost(form, sizes):
    """c₀ + Σ k_l h_l w_l of a form (c₀, [k_l]) at sizes (L, 2)."""
    constant, factors = form
    total = float(constant)
    for factor, (height, width) in zip(factors, sizes, strict=True):
        total += float(factor) * float(height) * float(width)
    return total


def scaled(form, proportions, low, high, budget):
    """The sizes t·u within [low, high] whose cost is the budget, by bisection of log t."""

    def at(log_scale):
        found = np.zeros_like(proportions)
        for index, proportion in np.ndenumerate(proportions):
            found[index] = min(max(math.exp(log_scale) * proportion, low[index]), high[index])
        return found

    least, most = -20.0, 20.0
    for _ in range(200):
        middle = (least + most) / 2
        if area_cost(form, at(middle)) > budget:
            most = middle
        else:
            least = middle
    return at(least)


def gradient(form, coordinates, low, high, budget, loss, step=1e-5):
    """dL/dv of `loss` at the sizes on the budget, (L, 2), by central differences."""
    found = np.zeros_like(coordinates)
    for index in np.ndindex(coordinates.shape):
        values = []
        for change in (step, -step):
            moved = coordinates.copy()
            moved[index] += change
            values.append(loss(scaled(form, np.exp(moved / 2), low, high, budget)))
        found[index] = (values[0] - values[1]) / (2 * step)
    return found


def log_distance(point, sizes):
    """Squared distance of whole from real sizes, in logarithms."""
    pairs = zip(np.ravel(point).tolist(), np.ravel(sizes).tolist(), strict=True)
    return sum(math.log(whole / real) ** 2 for whole, real in pairs)


def whole_sizes(size, around, low, high):
    """All whole numbers at most `around` from a real size, within [low, high]."""
    return [n for n in range(int(low), int(high) + 1) if abs(n - size) <= around]


def nearest_below(cost_of, sizes, around, low, high, budget):
    """(cost, point) of the best of all whole sizes within `around` (L, 2) pixels; None: none.

    `cost_of` tells the cost of whole sizes (L, 2), or None where they cannot be.
    """
    axes = [
        whole_sizes(*facts)
        for facts in zip(
            *(np.ravel(array).tolist() for array in (sizes, around, low, high)), strict=True
        )
    ]
    best = None
    for combination in itertools.product(*axes):
        point = np.array(combination).reshape(sizes.shape)
        cost = cost_of(point)
        if cost is None or cost > budget:
            continue
        rank = (-cost, log_distance(point, sizes))
        if best is None or rank < best[0]:
            best = (rank, cost, point)
    return None if best is None else best[1:]
