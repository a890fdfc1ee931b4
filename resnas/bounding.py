"""How small maps may become: every window behind them has to fit."""

from __future__ import annotations

import math
from collections.abc import Sequence

from resnas.errors import GraphError
from resnas.polynomial import Polynomial
from resnas.resizers._base import AbstractResizer
from resnas.space import SearchSpace


def bound(space: SearchSpace) -> None:
    """Keep maps so large that every window behind them fits, at the smallest sizes."""
    for _ in range(64):
        crowded = _too_small_at(space, 1e6)
        if not crowded:
            return
        for resizer in crowded:
            v, h = (math.floor(size + 0.5) + 0.501 for size in resizer.smallest)
            resizer.smallest = (v, h)  # just rounds to one pixel more
    raise GraphError(
        "convert",
        "no smallest sizes were found at which every window of the backbone fits its map",
        "Exclude the sites before its largest unpadded convolution (sites=[...])",
    )


def _too_small_at(space: SearchSpace, stride: float) -> list[AbstractResizer]:
    """Resizers that give some later window a map it does not fit, all strides at one value."""
    found = space.integers_at(stride)
    dims = {
        dim
        for operation in space._operations
        for dim in (operation.output or ())[1:]
        if isinstance(dim, Polynomial) and dim.value(found) < 1
    }
    strides = {id(space._resizer(name).stride) for name in _crowded(space, dims, found)}
    names = {str(n.target) for n in space.model.graph.nodes if n.name in space._resized}
    return [r for r in map(space._resizer, names) if id(r.stride) in strides]


def _crowded(space: SearchSpace, dims: set[Polynomial], found: Sequence[int]) -> set[str]:
    """The leaders behind `dims`, and those before them whose maps are too small to help."""
    crowded: set[str] = set()
    pending = [step for dim in dims for step in space._program.leaders_of(dim)]
    while pending:
        step = pending.pop()
        if step.leader in crowded:
            continue
        entering = [dim for dim in step.size if isinstance(dim, Polynomial)]
        gone = [dim for dim in entering if dim.value(found) < 1]
        if gone:  # nothing enters: those before it are to blame
            pending += [before for dim in gone for before in space._program.leaders_of(dim)]
            continue
        crowded.add(step.leader)
        least = space._resizer(step.leader).smallest
        for dim, size in zip(step.size, least, strict=True):
            if isinstance(dim, Polynomial) and dim.value(found) <= round(size):
                pending += space._program.leaders_of(dim)
    return crowded
