"""The shape of every node of a graph, as a polynomial in the sizes that can change.

Nothing is run. A node that depends on no variable size keeps the shape it was traced with; the
others follow one rule an operation. A size that is no polynomial of others (behind a strided
window, behind a resizer) becomes a variable of its own, and the `Program` says how to compute it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, fx

from resnas.costs._base import Operation, kind, lookup
from resnas.errors import UnsizedOperation
from resnas.graph.trace import where
from resnas.polynomial import Dim, Polynomial, Shape


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
    """

    size: Polynomial
    padded: int
    span: int
    stride: int
    ceil: bool = False
    padding: int = 0

    def value(self, size: int) -> int:
        """The integer number of positions on an axis of `size` pixels."""
        free = size + self.padded - self.span
        count = (-(-free // self.stride) if self.ceil else free // self.stride) + 1
        if self.ceil and (count - 1) * self.stride >= size + self.padding:
            count -= 1
        return count


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
    """How the variables are computed, in order: `Window` makes one, `Resized` makes two."""

    steps: list[Window | Resized] = field(default_factory=list)
    count: int = 0
    _windows: dict[Window, Polynomial] = field(default_factory=dict)

    def window(self, step: Window) -> Polynomial:
        """The variable behind a strided window; the same window over the same size is shared."""
        if step not in self._windows:
            self.steps.append(step)
            self._windows[step] = self.fresh()
        return self._windows[step]

    def windows(self) -> list[tuple[Window, Polynomial]]:
        """All windows with the variable behind each."""
        return list(self._windows.items())

    def resized(self, step: Resized) -> tuple[Polynomial, Polynomial]:
        """The two variables behind a group's leader."""
        self.steps.append(step)
        return self.fresh(), self.fresh()

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

    def fresh(self) -> Polynomial:
        """A new variable."""
        self.count += 1
        return Polynomial.variable(self.count - 1)


@dataclass(frozen=True)
class Map:
    """A tensor in the propagation: its shape."""

    shape: Shape


Agree = Callable[[Dim, Dim, fx.Node], Dim]
"""Two sizes meet at a node: returns what they agree on, or raises."""

Special = Callable[["Propagation", fx.Node, Shape], Shape]
"""The shape behind a node that does not follow the rules (a site, a resizer)."""

Rule = Callable[["Propagation", fx.Node, list[Any], dict[str, Any]], Any]


class Propagation:
    """Walks a traced graph once and gives every node its shape.

    Args:
        module: traced, `meta["value"]` set.
        special: by node name, what is behind a site or a resizer.
        agree: called where two sizes meet.
        changed: nodes that no longer do what they did when they were traced.
    """

    def __init__(
        self,
        module: fx.GraphModule,
        special: Mapping[str, Special],
        agree: Agree,
        changed: Collection[fx.Node] = (),
    ) -> None:
        self.module = module
        self.program = Program()
        self.agree = agree
        self._changed = set(changed)  # and, as the walk goes on, whatever depends on them
        self.values: dict[fx.Node, Any] = {}
        for node in module.graph.nodes:
            self.values[node] = self._value(node, special)

    def shape(self, node: fx.Node) -> Shape:
        """The shape of a node that is a tensor."""
        value = self.values[node]
        assert isinstance(value, Map)
        return value.shape

    def operations(self) -> list[Operation]:
        """All nodes that compute or read something, as costs get to see them."""
        return [
            Operation(
                place=where(node),
                target=self.target(node),
                inputs=tuple(v.shape for v in self._tensors(node)),
                output=value.shape if isinstance(value, Map) else None,
            )
            for node, value in self.values.items()
            if node.op not in {"placeholder", "output"}
        ]

    def target(self, node: fx.Node) -> Any:
        """The module, function, method name or tensor that a node stands for."""
        if node.op == "call_module":
            return self.module.get_submodule(str(node.target))
        if node.op == "get_attr":
            owner, _, name = str(node.target).rpartition(".")
            return getattr(self.module.get_submodule(owner), name)
        return node.target

    def _tensors(self, node: fx.Node) -> list[Map]:
        sources: list[fx.Node] = []  # in the order of the arguments, one given twice counts twice
        fx.node.map_arg((node.args, node.kwargs), lambda source: sources.append(source))
        values = [self.values[source] for source in sources]
        return [value for value in values if isinstance(value, Map)]

    def _value(self, node: fx.Node, special: Mapping[str, Special]) -> Any:
        inputs = [self.values[source] for source in node.all_input_nodes]
        if node.op == "output":
            return None
        if node.name in special:
            return Map(special[node.name](self, node, inputs[0].shape))
        if not self._changed.isdisjoint(node.all_input_nodes):
            self._changed.add(node)
        if node not in self._changed and not any(_varies(value) for value in inputs):
            return _constant(node.meta["value"])
        args = fx.node.map_arg(node.args, lambda source: self.values[source])
        kwargs = fx.node.map_arg(node.kwargs, lambda source: self.values[source])
        value = self._rule(node)(self, node, list(args), dict(kwargs))
        if value == _constant(node.meta["value"]):
            self._changed.discard(node)  # a global pooling, say: nothing changes behind it
        return value

    def _rule(self, node: fx.Node) -> Rule:
        from resnas.graph.rules import RULES

        rule = lookup(RULES, self.target(node))
        if rule is not None:
            return rule
        found = kind(self.target(node))
        raise UnsizedOperation(
            where(node),
            f"its input changes size and there is no rule for {_name(found)}",
            "Exclude the sites before it (sites=[...]), or add a rule to resnas/graph/rules.py",
        )


def _name(target: Any) -> str:
    return str(getattr(target, "__qualname__", target))


def _varies(value: Any) -> bool:
    if isinstance(value, Map):
        return any(isinstance(dim, Polynomial) for dim in value.shape)
    if isinstance(value, (tuple, list)):
        return any(_varies(item) for item in value)
    return isinstance(value, Polynomial)


def _constant(value: Any) -> Any:
    """A traced value: shapes of tensors become maps, everything else stays."""
    from torch import Size as TensorSize

    if isinstance(value, TensorSize):
        return Map(tuple(int(dim) for dim in value))
    if isinstance(value, (tuple, list)):
        return type(value)(_constant(item) for item in value)
    assert not isinstance(value, Tensor)
    return value
