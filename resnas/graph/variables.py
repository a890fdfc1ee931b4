"""The sizes that can change, and how each follows from those before it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from resnas.polynomial import Dim, Polynomial


@dataclass(frozen=True)
class Window:
    """`floor((size + padded - span) / stride) + 1`, or the ceiling: a sliding window's positions.

    Attributes:
        size: the axis it slides over.
        padded: pixels added, both sides together.
        span: dilation * (kernel - 1) + 1.
        stride: step, > 1 (a window of stride 1 needs no variable).
        ceil: whether a last, incomplete window counts.
        padding: pixels added in front; a last window must begin before the padding behind.
        least: positions that there are at least, whatever the size.
    """

    size: Polynomial
    padded: int
    span: int
    stride: int
    ceil: bool = False
    padding: int = 0
    least: int = 0

    def value(self, size: int) -> int:
        """The integer number of positions on an axis of `size` pixels."""
        free = size + self.padded - self.span
        count = (-(-free // self.stride) if self.ceil else free // self.stride) + 1
        if self.ceil and (count - 1) * self.stride >= size + self.padding:
            count -= 1
        return max(count, self.least) if self.least else count

    def needs(self, positions: int) -> int:
        """The smallest size that has so many positions."""
        return (positions - 1) * self.stride + self.span - self.padded


@dataclass(frozen=True)
class Resized:
    """The size that the leader of a group gives its map: two variables, (height, width).

    Attributes:
        leader: name of the resizer's module in the graph.
        size: (H, W) of the map that enters it.
    """

    leader: str
    size: tuple[Dim, Dim]


@dataclass
class Program:
    """How the variables are computed, in order: `Window` makes one, `Resized` makes two.

    Attributes:
        steps: in the order of the variables they make.
        human: the value of every variable in the backbone.
        axes: what every variable measures: 0 heights, 1 widths.
        made: the window that every variable is behind, None where it is free.
    """

    steps: list[Window | Resized] = field(default_factory=list)
    human: list[int] = field(default_factory=list)
    axes: list[int] = field(default_factory=list)
    made: list[Window | None] = field(default_factory=list)
    _windows: dict[Window, Polynomial] = field(default_factory=dict)

    def window(self, step: Window) -> Polynomial:
        """The variable behind a strided window; the same window over the same size is shared."""
        if step not in self._windows:
            self.steps.append(step)
            axes = {self.axes[v] for v in step.size.variables()}
            human = step.value(step.size.value(self.human))
            self._windows[step] = self.fresh(human, min(axes, default=0))
            self.made[-1] = step
        return self._windows[step]

    def divided(self, size: Polynomial, divisor: int, up: bool) -> Polynomial:
        """A size divided by a whole number, rounded up or down."""
        return self.window(Window(size, 0, 1 if up else divisor, divisor))

    def free(self, variables: Iterable[int]) -> set[int]:
        """The variables behind no window that some variables follow from."""
        found: set[int] = set()
        pending = list(variables)
        while pending:
            variable = pending.pop()
            step = self.made[variable]
            if step is None:
                found.add(variable)
            else:
                pending += step.size.variables()
        return found

    def values(self, point: Mapping[int, int]) -> list[int]:
        """All variables where some have the values of `point`; the others are as they follow."""
        found: list[int] = []
        for variable, step in enumerate(self.made):
            if variable not in point and step is not None:
                found.append(step.value(step.size.value(found)))
            else:
                found.append(point.get(variable, self.human[variable]))
        return found

    def windows(self) -> list[tuple[Window, Polynomial]]:
        """All windows with the variable behind each."""
        return list(self._windows.items())

    def resized(self, step: Resized, human: Sequence[int]) -> tuple[Polynomial, Polynomial]:
        """The two variables behind a group's leader, which are `human` in the backbone."""
        self.steps.append(step)
        return self.fresh(human[0], 0), self.fresh(human[1], 1)

    def leaders_of(self, dim: Polynomial) -> set[Resized]:
        """The resizings that a dimension is made of, through windows but no further."""
        made_by: list[Window | Resized] = []
        for step in self.steps:
            made_by += [step] * (1 if isinstance(step, Window) else 2)
        pending: list[int] = list(dim.variables())
        found: set[Resized] = set()
        while pending:
            step = made_by[pending.pop()]
            if isinstance(step, Resized):
                found.add(step)
            else:
                pending += step.size.variables()
        return found

    def fresh(self, human: int, axis: int) -> Polynomial:
        """A new variable, which is `human` in the backbone and measures along `axis`."""
        self.human.append(int(human))
        self.axes.append(axis)
        self.made.append(None)
        return Polynomial.variable(len(self.human) - 1)
