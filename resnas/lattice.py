"""Whole sizes that meet a budget: of those around the learned ones, the nearest below it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resnas.graph.variables import Window
from resnas.polynomial import Dim, Polynomial
from resnas.relaxation import Relaxation, Sizes
from resnas.results import Size
from resnas.space import SearchSpace

TOLERANCE = 0.05
"""Share of a budget that may stay unused; a lattice that leaves more cannot meet the budget."""

_CLOSE = 1e-3
"""Share of a budget that may stay unused without looking for more around."""

_NEAR, _NEXT = 6e-3, 1.5
"""Share of a budget that may stay unused without giving small maps the next whole size but one, and
how far that is."""

_RINGS = 8
"""How often it is looked more widely around, at most: a pixel more each time."""

_CHOICES = 2**16
"""Combinations looked at at once, at most."""

_BLOCK = 2**16
_Grid = NDArray[np.int64]


@dataclass(frozen=True)
class Landing:
    """What a lattice has around some sizes.

    Attributes:
        sizes: (H, W) behind the sites by name of the group, of the point chosen; None: none found.
        cost: of that point; exact.
        above: cost of the cheapest point seen above the budget; None: none seen.
    """

    sizes: dict[str, Size] | None
    cost: int | None
    above: int | None


class Lattice:
    """All whole sizes of the learnable groups of a space, with their exact costs.

    Args:
        space: converted, whose cost is a polynomial in the sizes.
        name: of the cost.
    """

    def __init__(self, space: SearchSpace, name: str = "macs") -> None:
        self.space = space
        self.relaxation = Relaxation(space, name)
        self._polynomial = space._total(name)
        self._made: dict[tuple[str, Size, Size], bool] = {}

    def land(self, sizes: Sizes, budget: int) -> Landing:
        """Give the space the whole sizes nearest below `budget`, around real `sizes`.

        Looked at are all combinations of whole sizes within 1 pixel of the real ones; where these
        leave more than 0.1 % of the budget, large maps change by 2 and more pixels (an eighth of
        their size at most); where more than 0.6 %, small maps by 1.5; where more than 5 %, by as
        many as it takes. Of two that
        cost the same, the one whose sizes are nearer in logarithms is taken. More axes than
        can be combined at once are looked at in blocks.

        Args:
            sizes: (groups, 2), as `Relaxation` has them.
            budget: in units of the cost.

        Returns:
            What was found; where nothing costs at most `budget`, the space keeps its sizes.
        """
        seen = _Seen()
        for enough, around in _neighbourhoods(sizes):
            if seen.cost is None or seen.cost < enough * budget:
                self._look(seen, sizes, around, budget)
        if seen.point is None:
            return Landing(None, None, seen.above)
        wanted = self.relaxation.behind(seen.point)
        self.space.set_sizes(wanted)
        return Landing(wanted, seen.cost, seen.above)

    def _look(self, seen: _Seen, sizes: Sizes, around: Sizes, budget: int) -> None:
        """Look at the combinations around `sizes`, a block of axes at a time.

        A single block holds all axes of most networks. Further ones vary around the best point of
        those before them.
        """
        bounds = (self.relaxation.low, self.relaxation.high)
        facts = (array.flat for array in (sizes, around, *bounds))
        axes = [_whole(*map(float, axis)) for axis in zip(*facts, strict=True)]
        point = np.array(
            [min(axis, key=_distance(z)) for axis, z in zip(axes, sizes.flat, strict=True)]
        )
        for block in _blocks(axes, sizes):
            points = _combined(point, block, axes).reshape(-1, *sizes.shape)
            costs = self.costs(points)
            over = costs[costs > budget].tolist()
            seen.above = min([*over, *([] if seen.above is None else [seen.above])], default=None)
            best = self._best(costs, points, sizes, budget)
            if best is None:
                point = points[costs.argmin()].ravel()
                continue
            cost, found = best
            point = found.ravel()
            if seen.cost is None or cost > seen.cost:
                seen.cost, seen.point = cost, found

    def point(self, sizes: Mapping[str, Size]) -> _Grid:
        """Whole sizes behind the sites of all learnable groups, as `costs` takes them."""
        found = [sizes[group.name] for group in self.relaxation.groups]
        return np.array(found, dtype=np.int64) + self.relaxation.margin.astype(np.int64)

    def costs(self, points: _Grid) -> _Grid:
        """Exact costs of whole sizes, (points, groups, 2) -> (points,)."""
        blocks = np.array_split(points, max(1, math.ceil(len(points) / _BLOCK)))
        return np.concatenate([self._costs(block) for block in blocks])

    def _best(
        self, costs: _Grid, points: _Grid, sizes: Sizes, budget: int
    ) -> tuple[int, _Grid] | None:
        """The costliest within the budget that the resizers can make, nearest in log-size."""
        within = np.flatnonzero(costs <= budget)
        distance = (np.log(points[within] / sizes) ** 2).sum(axis=(1, 2))
        for index in within[np.lexsort((distance, -costs[within]))]:
            if self.can_be(points[index]):
                return int(costs[index]), points[index]
        return None

    def can_be(self, point: _Grid) -> bool:
        """Whether the resizers make these sizes, (groups, 2): some skip sizes."""
        values: list[int] = []
        for step in self.space._program.steps:
            if isinstance(step, Window):
                values.append(step.value(step.size.value(values)))
                continue
            height, width = (Polynomial.of(dim).value(values) for dim in step.size)
            group = self.relaxation.index(step)
            if group is None:
                values += self.space._resizer(step.leader).hard_size((height, width))
                continue
            v, h = point[group].tolist()
            if not self._makes(step.leader, (height, width), (v, h)):
                return False
            values += (v, h)
        return True

    def _makes(self, leader: str, entering: Size, wanted: Size) -> bool:
        """Whether a leader has a stride for a size; asked once, for points share their sizes."""
        key = (leader, entering, wanted)
        if key not in self._made:
            self._made[key] = self.space._resizer(leader).stride_for(*key[1:]) is not None
        return self._made[key]

    def _costs(self, points: _Grid) -> _Grid:
        variables: list[_Grid] = []

        def value(dim: Dim) -> _Grid:
            found = np.zeros(len(points), dtype=np.int64)
            for key, factor in Polynomial.of(dim).terms.items():
                term = np.full(len(points), factor, dtype=np.int64)
                for variable in key:
                    term *= variables[variable]
                found += term
            return found

        for step in self.space._program.steps:
            if isinstance(step, Window):
                entering, which = np.unique(value(step.size), return_inverse=True)
                positions = np.array([step.value(int(size)) for size in entering], dtype=np.int64)
                variables.append(positions[which])
                continue
            group = self.relaxation.index(step)
            if group is None:
                leader = self.space._resizer(step.leader)
                pairs = zip(*(value(dim).tolist() for dim in step.size), strict=True)
                hard = np.array([leader.hard_size(pair) for pair in pairs], dtype=np.int64)
                variables += [hard[:, 0], hard[:, 1]]
            else:
                variables += [points[:, group, 0], points[:, group, 1]]
        return value(self._polynomial)


@dataclass
class _Seen:
    """The best point within the budget so far, its cost, and the least cost above the budget."""

    point: _Grid | None = None
    cost: int | None = None
    above: int | None = None


def _neighbourhoods(sizes: Sizes) -> Iterator[tuple[float, Sizes]]:
    """How many pixels to look around each size, ever more; each with the share that is enough."""
    large = np.maximum(sizes / 8, 1)
    for most, enough in (
        (large, 1 - _CLOSE),
        (np.maximum(large, _NEXT), 1 - _NEAR),
        (np.inf, 1 - TOLERANCE),
    ):
        before = np.zeros_like(sizes)
        for ring in range(1, _RINGS + 1):
            around = np.full_like(sizes, ring).clip(1, most)
            if not np.array_equal(around, before):
                yield enough, around
            before = around


def _whole(size: float, around: float, low: float, high: float) -> list[int]:
    """Whole sizes at most `around` pixels from a real one and within its bounds; one at least."""
    near = range(math.ceil(size - around), math.floor(size + around) + 1)
    return [n for n in near if low <= n <= high] or [round(min(max(size, low), high))]


def _distance(size: float) -> Callable[[int], float]:
    return lambda whole: abs(whole - size)


def _blocks(axes: Sequence[Sequence[int]], sizes: Sizes) -> Iterator[list[int]]:
    """Axes in blocks of at most `_CHOICES` combinations, those between two whole sizes first."""
    block: list[int] = []
    count = 1
    doubts = [abs(size - round(size)) for size in sizes.ravel().tolist()]
    for axis in sorted(range(len(axes)), key=lambda axis: -doubts[axis]):
        if block and count * len(axes[axis]) > _CHOICES:
            yield block
            block, count = [], 1
        block.append(axis)
        count *= len(axes[axis])
    yield block


def _combined(point: _Grid, block: Sequence[int], axes: Sequence[Sequence[int]]) -> _Grid:
    """All combinations of the axes of a block, the others as in `point`: (points, axes)."""
    count = math.prod(len(axes[axis]) for axis in block)
    points = np.tile(point, (count, 1))
    repeats = count
    for axis in block:
        repeats //= len(axes[axis])
        points[:, axis] = np.resize(np.repeat(axes[axis], repeats), count)
    return points
