"""The shape of every node of a graph, as a polynomial in the sizes that can change.

Nothing is run. A node that depends on no variable size keeps the shape it was traced with; the
others follow one rule an operation. A size that is no polynomial of others (behind a strided
window, behind a resizer) becomes a variable of its own, and the `Program` says how to compute it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import torch
from torch import fx, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from resnas.costs._base import KNOWN, Entering, Operation, lookup
from resnas.errors import UnsizedOperation
from resnas.graph.asking import ask, count
from resnas.graph.modes import in_eval_mode, quietly
from resnas.graph.trace import where
from resnas.graph.values import Map, traced, variables
from resnas.graph.variables import Program
from resnas.polynomial import Dim, Shape
from resnas.resizers._base import AbstractResizer

Agree = Callable[[Dim, Dim, fx.Node], Dim]
"""Two sizes meet at a node: returns what they agree on, or raises."""

Same = Callable[[Sequence[int]], dict[int, int]]
"""Of each of some variables, the one that stands for all that are known to equal it."""

Special = Callable[["Propagation", fx.Node, Shape], Shape]
"""The shape behind a node that does not follow the rules (a site, a resizer)."""

Rule = Callable[["Propagation", fx.Node, list[Any], dict[str, Any]], Any]
"""What a node becomes; NotImplemented where the operation had better be asked."""


class Propagation:
    """Walks a traced graph once and gives every node its shape.

    Args:
        module: traced, `meta["value"]` set.
        special: by node name, what is behind a site or a resizer.
        agree: called where two sizes meet.
        changed: nodes that no longer do what they did when they were traced.
        same: which variables `agree` has found to be one; each is its own where it is not given.
    """

    def __init__(
        self,
        module: fx.GraphModule,
        special: Mapping[str, Special],
        agree: Agree,
        changed: Collection[fx.Node] = (),
        same: Same | None = None,
    ) -> None:
        self.module = module
        self.program = Program()
        self.agree = agree
        self.same: Same = same or (lambda variables: {v: v for v in variables})
        self.fake = FakeTensorMode(allow_non_fake_inputs=True)
        self.asked: dict[tuple[str, ...], Any] = {}
        self.bodiless: dict[nn.Module, nn.Module] = {}
        self._changed = set(changed)  # and, as the walk goes on, whatever depends on them
        self.values: dict[fx.Node, Any] = {}
        with in_eval_mode(module), quietly():
            for node in module.graph.nodes:
                self.values[node] = self._value(node, special)

    def shape(self, node: fx.Node) -> Shape:
        """The shape of a node that is a tensor."""
        value = self.values[node]
        assert isinstance(value, Map)
        return value.shape

    def operations(self) -> list[Operation]:
        """All nodes that compute or read something, as costs get to see them."""
        with in_eval_mode(self.module), quietly():
            return [
                self._operation(node)
                for node in self.values
                if node.op not in {"placeholder", "output"}
            ]

    def _operation(self, node: fx.Node) -> Operation:
        called, value = self.target(node), self.values[node]
        known = isinstance(called, AbstractResizer) or lookup(KNOWN, called) is not None
        return Operation(
            place=where(node),
            target=called,
            inputs=tuple(v.shape for v in self._tensors(node)),
            output=value.shape if isinstance(value, Map) else None,
            counted=None if known else count(self, node),
            arguments=fx.node.map_arg((node.args, node.kwargs), self._argument),
            name=node.name,
        )

    def _argument(self, source: fx.Node) -> Any:
        def told(value: Any, dtype: Any) -> Any:
            if isinstance(value, Map):
                return Entering(value.shape, dtype or torch.float32)
            if isinstance(value, (tuple, list)):
                each = dtype if isinstance(dtype, (tuple, list)) else [dtype] * len(value)
                return tuple(told(v, d) for v, d in zip(value, each, strict=True))
            return value

        return told(self.values[source], source.meta.get("dtype"))

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
        known = traced(node.meta["value"], node.meta.get("dtype", torch.float32))
        if node not in self._changed and not any(map(variables, inputs)):
            return known
        try:
            value = self._follow(node)
        except UnsizedOperation as error:
            error.variables = frozenset().union(*map(variables, inputs))
            raise
        if value == known:
            self._changed.discard(node)  # a global pooling, say: nothing changes behind it
        return value

    def _follow(self, node: fx.Node) -> Any:
        """What a node becomes whose input varies, or is another than it was."""
        from resnas.graph.rules import rule_for

        rule = rule_for(self.target(node))
        if rule is None:
            return ask(self, node)
        args = fx.node.map_arg(node.args, lambda source: self.values[source])
        kwargs = fx.node.map_arg(node.kwargs, lambda source: self.values[source])
        value = rule(self, node, list(args), dict(kwargs))
        return ask(self, node) if value is NotImplemented else value
