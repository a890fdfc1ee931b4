"""Whole steps of single sizes onto a budget, for costs that are no polynomial in the sizes."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from resnas.errors import ArchitectureMismatch
from resnas.results import Size
from resnas.space import SearchSpace


def step_within(space: SearchSpace, name: str, budget: float) -> bool:
    """Shrink sizes pixel by pixel until the cost is within the budget, then grow what still fits.

    Shrunk is what saves most for the least change of its logarithm; grown is what comes nearest to
    the budget. A measured cost need not fall with a size; one that has been left is not met again.

    Args:
        space: with sizes, which are changed.
        name: of the cost.
        budget: in its units.

    Returns:
        Whether it is within the budget; if not, the sizes are the smallest.
    """
    cost = _cost(space, name)
    while cost > budget:
        steps = [
            ((cost - new) / abs(change), new, wanted)
            for wanted, change, new in _tried(space, name, -1)
        ]
        if not steps:
            return False
        _, cost, wanted = max(steps, key=lambda step: step[0])
        space.set_sizes(wanted)
    while True:
        fits = [(new, wanted) for wanted, _, new in _tried(space, name, 1) if cost < new <= budget]
        if not fits:
            return True
        cost, wanted = max(fits, key=lambda step: step[0])
        space.set_sizes(wanted)


def _tried(
    space: SearchSpace, name: str, pixels: int
) -> Iterator[tuple[dict[str, Size], float, float]]:
    """Sizes with one axis of one group changed, the change in logarithms, and the cost there."""
    before = {g.name: space.sizes()[g.name] for g in space.groups if g.learnable}
    for group, size in before.items():
        for axis in (0, 1):
            new = size[axis] + pixels
            if new < 1:
                continue
            wanted = (new, size[1]) if axis == 0 else (size[0], new)
            changed = before | {group: wanted}
            try:
                space.set_sizes(changed)
            except ArchitectureMismatch:
                continue
            yield changed, math.log(new / size[axis]), _cost(space, name)
            space.set_sizes(before)


@torch.no_grad()
def _cost(space: SearchSpace, name: str) -> float:
    return float(space.cost(name))
