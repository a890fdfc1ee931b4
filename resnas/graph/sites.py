"""Where a backbone changes resolution, and which of these places must agree on a size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn

from resnas.costs._base import kind, lookup
from resnas.errors import UnknownName
from resnas.graph.rules import POINTWISE
from resnas.graph.sizes import Propagation, Special, Window
from resnas.graph.trace import spatial, where
from resnas.graph.windows import pair, pool_call
from resnas.polynomial import Dim, Polynomial, Shape
from resnas.results import Size


@dataclass(frozen=True)
class Place:
    """A site in the graph: a strided convolution, a strided pool, or the two in a row.

    Attributes:
        name: path of the (first) module, or the node's name where there is none.
        convolution: the strided convolution, if any.
        pool: the strided pool, if any.
        stride: nominal, (vertical, horizontal), of both together.
        size: (H, W) behind the site in the backbone.
    """

    name: str
    convolution: fx.Node | None
    pool: fx.Node | None
    stride: tuple[int, int]
    size: Size

    @property
    def last(self) -> fx.Node:
        """The node behind which the resolution has changed."""
        node = self.pool or self.convolution
        assert node is not None
        return node


def target(module: fx.GraphModule, node: fx.Node) -> Any:
    """The module of a node that calls one, else what it calls."""
    return module.get_submodule(str(node.target)) if node.op == "call_module" else node.target


def pool_window(module: fx.GraphModule, node: fx.Node) -> tuple[Size, Size, Size] | None:
    """(kernel, stride, padding) of a pooling node, None for any other."""
    called = target(module, node)
    if type(called) in (nn.MaxPool2d, nn.AvgPool2d):
        settings = (called.kernel_size, called.stride, called.padding)
    elif called in (torch.max_pool2d, F.max_pool2d, F.avg_pool2d):
        settings = pool_call(called, list(node.args), dict(node.kwargs))[:3]
    else:
        return None
    known = fx.node.map_arg(settings, lambda source: source.meta["value"])  # x.shape[2:], say
    kernel, stride, padding = (pair(value) for value in known)
    return kernel, stride, padding


def is_global_pool(module: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a pool's window is the whole map: it ends the resolution, it does not change it."""
    window = pool_window(module, node)
    if window is None or spatial(node) != (1, 1):
        return False
    return window[0] == spatial(node.all_input_nodes[0]) and window[2] == (0, 0)


def global_pools(module: fx.GraphModule) -> list[str]:
    """Names of the pools whose window is the whole map."""
    calls = [n for n in module.graph.nodes if n.op in {"call_module", "call_function"}]
    return [
        str(node.target) if node.op == "call_module" else node.name
        for node in calls
        if is_global_pool(module, node)
    ]


def behind(module: fx.GraphModule, node: fx.Node) -> fx.Node:
    """The last normalisation or activation that alone consumes `node`'s result."""
    while len(node.users) == 1:
        (user,) = node.users
        if user.op == "output" or kind(target(module, user)) not in POINTWISE:
            break
        node = user
    return node


def find(module: fx.GraphModule) -> list[Place]:
    """All sites of a traced backbone, in the order of its graph, each with a name of its own."""
    pools = {
        node: window[1]
        for node in module.graph.nodes
        if node.op in {"call_module", "call_function"}
        and (window := pool_window(module, node))
        and max(window[1]) > 1
        and not is_global_pool(module, node)
    }
    places: list[Place] = []
    for node in module.graph.nodes:
        if node in pools:
            places.append(_place(places, node, None, node, pools.pop(node)))
        elif stride := _strided(module, node):
            users = list(behind(module, node).users)
            if len(users) == 1 and users[0] in pools:
                step = pools.pop(users[0])
                both = (stride[0] * step[0], stride[1] * step[1])
                places.append(_place(places, node, node, users[0], both))
            else:
                places.append(_place(places, node, node, None, stride))
    return places


def _strided(module: fx.GraphModule, node: fx.Node) -> Size | None:
    """The stride of a strided convolution, None for any other node."""
    if node.op != "call_module":
        return None
    conv: Any = module.get_submodule(str(node.target))
    if lookup({nn.Conv2d: True}, conv) is None:
        return None
    stride = pair(conv.stride)
    return stride if max(stride) > 1 else None


def _place(
    earlier: list[Place],
    first: fx.Node,
    conv: fx.Node | None,
    pool: fx.Node | None,
    stride: Size,
) -> Place:
    name = str(first.target) if first.op == "call_module" else first.name
    if any(place.name == name for place in earlier):  # a module that is called again
        name = first.name
    last = pool or conv
    assert last is not None
    return Place(name, conv, pool, stride, spatial(last))


def select(places: Sequence[Place], names: Sequence[str] | None) -> list[Place]:
    """The places of these names, or all; a convolution that is called twice is chosen whole.

    Raises:
        UnknownName: one of the names is no site of the backbone.
    """
    if names is None:
        return list(places)
    known = [place.name for place in places]
    for name in names:
        if name not in known:
            raise UnknownName.among("sites", name, known)
    shared = {_module(place) for place in places if place.name in names} - {None}
    return [p for p in places if p.name in names or _module(p) in shared]


class _Stuck(Exception):
    """Sizes met that no union of groups makes equal."""

    def __init__(self, variables: set[int], node: fx.Node) -> None:
        self.variables = variables
        self.node = node


def group(
    module: fx.GraphModule, places: Sequence[Place]
) -> tuple[list[list[Place]], dict[str, str]]:
    """Sites that must agree on one size, in the order of the graph.

    Two sites belong together where their maps meet: in an addition, a product, a concatenation.
    A site whose map meets one that cannot be resized is left as it is.

    Returns:
        The groups, and for every site left alone the reason, by name.
    """
    fixed: dict[str, str] = {}
    while True:
        free = [place for place in places if place.name not in fixed]
        union = _Union(free)
        try:
            Propagation(module, union.special(module), union.agree)
        except _Stuck as stuck:
            reason = f"its map meets one that cannot be resized, at {where(stuck.node)}"
            fixed.update(dict.fromkeys(union.sites_of(stuck.variables), reason))
            continue
        return union.groups(), fixed


class _Union:
    """Which sites are one group so far: a union-find over their sizes."""

    def __init__(self, places: Sequence[Place]) -> None:
        self.places = places
        self.parent = list(range(len(places)))
        self.owner: dict[int, tuple[int, int]] = {}  # variable -> (index of its site, axis)
        self.steps: dict[int, Window] = {}
        self.propagation: Propagation | None = None

    def special(self, module: fx.GraphModule) -> dict[str, Special]:
        """What stands behind every site: sizes of its own."""
        rules: dict[str, Special] = {}
        for index, place in enumerate(self.places):
            if place.convolution and place.pool:
                rules[place.convolution.name] = _hidden
            rules[place.last.name] = self._behind(index)
        for node in module.graph.nodes:
            if node.op in {"call_module", "call_function"} and is_global_pool(module, node):
                rules[node.name] = lambda _p, _n, shape: (*shape[:2], 1, 1)
        return rules

    def _behind(self, index: int) -> Special:
        def shape(propagation: Propagation, node: fx.Node, before: Shape) -> Shape:
            self.propagation = propagation
            sizes = (propagation.program.fresh(), propagation.program.fresh())
            for axis, size in enumerate(sizes):
                (variable,) = size.variables()
                self.owner[variable] = (index, axis)
            return (before[0], int(node.meta["value"][1]), *sizes)

        return shape

    def agree(self, one: Dim, other: Dim, node: fx.Node) -> Dim:
        """Join the groups of two sizes that meet; raises _Stuck where that cannot be."""
        first, second = _single(one), _single(other)
        variables = {v for dim in (one, other) for v in Polynomial.of(dim).variables()}
        if not first or not second or first[1] != second[1]:
            raise _Stuck(variables, node)
        owners = self.owner.get(first[0]), self.owner.get(second[0])
        if None in owners or owners[0][1] != owners[1][1]:  # type: ignore[index]
            raise _Stuck(variables, node)
        roots = sorted(self._root(owner[0]) for owner in owners if owner)
        self.parent[roots[1]] = roots[0]
        return one

    def _root(self, index: int) -> int:
        while self.parent[index] != index:
            index = self.parent[index]
        return index

    def sites_of(self, variables: set[int]) -> Iterator[str]:
        """Names of the sites (with all of their groups) that these sizes depend on."""
        assert self.propagation is not None
        windows = {
            next(iter(behind.variables())): step
            for step, behind in self.propagation.program.windows()
        }
        pending, roots = list(variables), set()
        while pending:
            variable = pending.pop()
            if variable in self.owner:
                roots.add(self._root(self.owner[variable][0]))
            elif variable in windows:
                pending += windows[variable].size.variables()
        names = {p.name for i, p in enumerate(self.places) if self._root(i) in roots}
        shared = {_module(p) for p in self.places if p.name in names} - {None}
        yield from (p.name for p in self.places if p.name in names or _module(p) in shared)

    def groups(self) -> list[list[Place]]:
        """The places by group, both in the order of the graph."""
        found: dict[int, list[Place]] = {}
        for index, place in enumerate(self.places):
            found.setdefault(self._root(index), []).append(place)
        return list(found.values())


def _hidden(propagation: Propagation, node: fx.Node, before: Shape) -> Shape:
    """Between the convolution and the pool of one site: sizes that nobody else gets to see."""
    fresh = propagation.program.fresh
    return (before[0], int(node.meta["value"][1]), fresh(), fresh())


def _module(place: Place) -> str | None:
    return str(place.convolution.target) if place.convolution else None


def _single(dim: Dim) -> tuple[int, int] | None:
    """(variable, constant) of a size of the form `v + constant`, else None."""
    terms = dict(Polynomial.of(dim).terms)
    constant = terms.pop((), 0)
    if len(terms) != 1:
        return None
    ((key, factor),) = terms.items()
    return (key[0], constant) if factor == 1 and len(key) == 1 else None
