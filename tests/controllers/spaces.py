"""Small search spaces, and what they cost by their own account."""

from __future__ import annotations

import numpy as np
import torch

import search_spaces
from resnas.converting import convert
from resnas.errors import ArchitectureMismatch
from resnas.relaxation import Relaxation


def small(name, pixels=32, resizer="dynopool", sites=None):
    """A known backbone, converted."""
    torch.manual_seed(0)
    size = (3, pixels, pixels)
    return convert(search_spaces.build(name, 10, size), size, resizer, sites=sites)


def macs(space):
    """What the space costs as it is."""
    return int(space.cost("macs").detach())


def cost_of(space):
    """The cost of whole sizes (groups, 2), asked of the space itself; None where they cannot be."""
    relaxation = Relaxation(space)

    def cost(point):
        try:
            space.set_sizes(relaxation.behind(np.asarray(point)))
        except ArchitectureMismatch:
            return None
        return macs(space)

    return cost


def area_form(space):
    """(c₀, [k]) such that whole sizes cost c₀ + Σ k·h·w, told from a few of them."""
    cost = cost_of(space)
    human = Relaxation(space).human.astype(int)
    rows, costs = [], []
    for n in range(len(human) + 1):
        point = human.copy()
        if n:
            point[n - 1] += 2
        rows.append([1, *point.prod(axis=1).tolist()])
        costs.append(cost(point))
    constant, *factors = np.linalg.solve(np.array(rows, float), np.array(costs, float))
    return round(constant), [round(factor) for factor in factors]
