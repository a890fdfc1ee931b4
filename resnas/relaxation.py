"""A cost as a smooth function of the real sizes of groups, and the scale that meets a budget.

The sizes of a space are z = t·u: u are proportions, t one scale for all. A cost is a polynomial in
the sizes, so the t that meets a budget B follows: where all that is learned enters as areas,
c₀ + q·t² = B, in closed form; else, and where bounds hold some sizes, by bisection of a function
that only grows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from resnas.errors import UnknownName
from resnas.graph.program import integers
from resnas.graph.variables import Resized, Window
from resnas.polynomial import Polynomial
from resnas.resizers._base import AbstractResizer
from resnas.results import Size
from resnas.space import SearchSpace

Sizes = NDArray[np.float64]
"""Real heights and widths behind the leaders of the learnable groups, (groups, 2)."""

_Step = tuple[Window | Resized, int, int | None]
"""A step of the program, its first variable and, if it is one's, the index of its group."""


class Relaxation:
    """The cost of a space at real sizes of its learnable groups.

    Sizes are coordinates of their own here: unlike a stride's, the gradient of a size is not
    chained through the sizes behind it. Windows count positions as real numbers.

    Args:
        space: whose cost; its strides are read and written by `apply` alone.
        name: of the cost, one that is a polynomial in the sizes.

    Attributes:
        groups: those that are learnable.
        margin: pixels that their leaders' maps are larger than those behind the sites, (groups, 2).
        human: their human sizes, (groups, 2).
        low, high: the integers that their sizes reach, (groups, 2).
    """

    def __init__(self, space: SearchSpace, name: str = "macs") -> None:
        self.space = space
        self.groups = tuple(group for group in space.groups if group.learnable)
        self._index = {id(group.stride): n for n, group in enumerate(self.groups)}
        self._polynomial = _Gradient(space._total(name))
        self._windows = any(isinstance(step, Window) for step in space._program.steps)
        self.margin = np.array([group.margin for group in self.groups], float).reshape(-1, 2)
        human = [group.human_size for group in self.groups]
        self.human: Sizes = np.array(human, float).reshape(-1, 2) + self.margin
        self.low, self.high = self._reach(1e6), self._reach(1e-6)

    def __call__(self, sizes: Sizes) -> tuple[float, Sizes]:
        """The cost, and its derivatives by the logarithms of the sizes."""
        values, steps = self._values(sizes)
        total, slopes = self._polynomial(np.array(values))
        slope = np.zeros_like(sizes)
        adjoint: list[float] = slopes.tolist()
        for step, first, group in reversed(steps):
            if isinstance(step, Window):
                self._pass_on(adjoint, step.size, adjoint[first] / step.stride)
            elif group is not None:
                slope[group] += (adjoint[first], adjoint[first + 1])
            else:  # a stride that is not learned
                strides = self.space._resizer(step.leader).strides()
                for variable, (dim, s) in enumerate(zip(step.size, strides, strict=True), first):
                    self._pass_on(adjoint, Polynomial.of(dim), adjoint[variable] / s)
        return total, slope * sizes

    def scaled(self, proportions: Sizes, budget: float) -> Sizes:
        """The sizes t·`proportions`, each within its bounds, that cost `budget` (as near as any).

        Raises:
            ValueError: a proportion is not positive and finite.
        """
        if not (np.isfinite(proportions).all() and (proportions > 0).all()):
            raise ValueError(f"proportions have to be positive and finite: {proportions}")
        guess = self._closed_form(proportions, budget)
        if guess is not None:
            return guess
        ends = (self.low / proportions).min(), (self.high / proportions).max()
        scale = _bisect(lambda t: self(self._at(t, proportions))[0] - budget, *map(float, ends))
        return self._at(scale, proportions)

    def sizes(self) -> Sizes:
        """The real sizes that the present strides mean."""
        found = np.zeros_like(self.human)

        def read(leader: AbstractResizer, entering: Size) -> None:
            group = self._index.get(id(leader.stride))
            if group is not None:
                size = leader.soft_size(torch.tensor(entering, dtype=torch.float64))
                found[group] = size.detach().tolist()

        integers(self.space._program, self.space.model, read)
        return found.clip(self.low, self.high)

    def entering(self) -> Sizes:
        """The whole sizes that enter the leaders, at the present strides."""
        found = np.zeros_like(self.human)

        def read(leader: AbstractResizer, entering: Size) -> None:
            group = self._index.get(id(leader.stride))
            if group is not None:
                found[group] = entering

        integers(self.space._program, self.space.model, read)
        return found

    def apply(self, sizes: Sizes) -> None:
        """Give the strides the values that mean these sizes."""

        def write(leader: AbstractResizer, entering: Size) -> None:
            group = self._index.get(id(leader.stride))
            if group is not None:
                stride = leader.soft_stride_for(entering, tuple(sizes[group].tolist()))
                leader.stride.copy_(torch.tensor(stride))

        with torch.no_grad():
            integers(self.space._program, self.space.model, write)

    def set_proportions(self, sizes: Mapping[str, Size]) -> None:
        """Bring sizes of groups, by name, as near to these as the resizers can.

        Raises:
            UnknownName: there is no such group, or its size is not learned.
        """
        names = [group.name for group in self.groups]
        wanted = self.sizes()
        for name, size in sizes.items():
            if name not in names:
                raise UnknownName.among("sizes", name, names)
            group = names.index(name)
            wanted[group] = np.array(size) + self.margin[group]
        self.apply(wanted.clip(self.low, self.high))

    def behind(self, sizes: NDArray[np.int64]) -> dict[str, Size]:
        """Whole sizes as those behind the sites, by name of the group."""
        found = (sizes - self.margin).astype(int).tolist()
        return {group.name: (v, h) for group, (v, h) in zip(self.groups, found, strict=True)}

    def index(self, step: Resized) -> int | None:
        """Which learnable group a step gives its size; None: its stride is not learned."""
        return self._index.get(id(self.space._resizer(step.leader).stride))

    def _closed_form(self, proportions: Sizes, budget: float) -> Sizes | None:
        """t = √((B − c₀) / q) where all is areas and no bound binds."""
        if self._windows or not self._polynomial.areas_only:
            return None
        start = self._at(1.0, proportions)
        total, slope = self(start)
        area = float(slope.sum()) / 2  # Euler: the slopes of a form of degree 2 are twice it
        if not np.array_equal(start, proportions) or area <= 0 or budget <= total - area:
            return None
        scaled = math.sqrt((budget - total + area) / area) * proportions
        return scaled if (scaled == scaled.clip(self.low, self.high)).all() else None

    def _at(self, scale: float, proportions: Sizes) -> Sizes:
        found: Sizes = (scale * proportions).clip(self.low, self.high)
        return found

    def _values(self, sizes: Sizes) -> tuple[list[float], list[_Step]]:
        """All variables, and each step with its first variable and, if any, its group."""
        values: list[float] = []
        steps: list[_Step] = []

        def value(dim: int | Polynomial) -> float:
            return sum(
                f * math.prod(values[i] for i in key) for key, f in Polynomial.of(dim).terms.items()
            )

        for step in self.space._program.steps:
            group = None
            first = len(values)
            if isinstance(step, Window):
                free = value(step.size) + step.padded - step.span
                count = free / step.stride + (1 if step.ceil else (1 + 1 / step.stride) / 2)
                values.append(max(count, step.least, 1.0))
            else:
                group = self.index(step)
                strides = self.space._resizer(step.leader).strides()
                values += (
                    [value(dim) / s for dim, s in zip(step.size, strides, strict=True)]
                    if group is None
                    else sizes[group].tolist()
                )
            steps.append((step, first, group))
        return values, steps

    @staticmethod
    def _pass_on(adjoint: list[float], dim: Polynomial, slope: float) -> None:
        """What a linear dimension passes to the variables it is made of."""
        for key, factor in dim.terms.items():
            if key:
                (variable,) = key
                adjoint[variable] += factor * slope

    def _reach(self, stride: float) -> Sizes:
        values = self.space.integers_at(stride)
        found = np.zeros_like(self.human)
        first = 0
        for step in self.space._program.steps:
            if isinstance(step, Window):
                first += 1
                continue
            group = self.index(step)
            if group is not None:
                found[group] = values[first : first + 2]
            first += 2
        return found


class _Gradient:
    """A polynomial and its gradient at once, over arrays."""

    def __init__(self, polynomial: Polynomial) -> None:
        keys = list(polynomial.terms)
        degree = max(map(len, keys), default=0)
        self.areas_only = {len(key) for key in keys} <= {0, 2}
        # index -1: a variable that is 1, to pad shorter monomials
        padded = [[*key, *[-1] * (degree - len(key))] for key in keys]
        self._keys = np.array(padded, dtype=np.int64).reshape(len(keys), degree)
        self._factors = np.array([float(factor) for factor in polynomial.terms.values()])

    def __call__(self, values: Sizes) -> tuple[float, Sizes]:
        extended = np.append(values, 1.0)
        factors = extended[self._keys]
        total = float(self._factors @ factors.prod(axis=1))
        slopes = np.zeros_like(extended)
        for column in range(self._keys.shape[1]):
            others = np.delete(factors, column, axis=1).prod(axis=1) * self._factors
            np.add.at(slopes, self._keys[:, column], others)
        return total, slopes[:-1]


def _bisect(excess: Callable[[float], float], low: float, high: float) -> float:
    """Where a growing function is zero, to a part in 10¹²; the nearer end where it is nowhere."""
    if excess(low) >= 0:
        return low
    if excess(high) <= 0:
        return high
    for _ in range(100):
        middle = math.sqrt(low * high)
        if excess(middle) > 0:
            high = middle
        else:
            low = middle
        if high / low < 1 + 1e-12:
            break
    return low
