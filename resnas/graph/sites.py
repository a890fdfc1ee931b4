"""Where a backbone changes resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn

from resnas.costs._base import kind
from resnas.errors import NothingToResize, UnknownName
from resnas.graph.rules import POINTWISE
from resnas.graph.trace import spatial
from resnas.graph.windows import Convolution, Reaches, pool_reaches, reaches
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
    def shared(self) -> str | None:
        """Path of the convolution, which other places may call too; None without one."""
        return str(self.convolution.target) if self.convolution else None

    @property
    def last(self) -> fx.Node:
        """The node behind which the resolution has changed."""
        node = self.pool or self.convolution
        assert node is not None
        return node


def target(module: fx.GraphModule, node: fx.Node) -> Any:
    """The module of a node that calls one, else what it calls."""
    return module.get_submodule(str(node.target)) if node.op == "call_module" else node.target


def pool_window(module: fx.GraphModule, node: fx.Node) -> Reaches | None:
    """How the window of a pooling node slides, None for any other."""
    called = target(module, node)
    if isinstance(called, (nn.MaxPool2d, nn.AvgPool2d, nn.LPPool2d)):
        return reaches(called) if len(node.meta["value"]) == 4 else None
    if called not in (torch.max_pool2d, F.max_pool2d, F.avg_pool2d):
        return None
    known = fx.node.map_arg((node.args, node.kwargs), lambda n: n.meta["value"])  # x.shape[2:], say
    return pool_reaches(called, list(known[0]), dict(known[1]))


def is_global_pool(module: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a pool's window is the whole map: it ends the resolution, it does not change it."""
    window = pool_window(module, node)
    if window is None or spatial(node) != (1, 1):
        return False
    before = spatial(node.all_input_nodes[0])
    return all(r.span == n and not r.padded for r, n in zip(window, before, strict=True))


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
        node: (window[0].stride, window[1].stride)
        for node in module.graph.nodes
        if node.op in {"call_module", "call_function"}
        and (window := pool_window(module, node))
        and max(window[0].stride, window[1].stride) > 1
        and not is_global_pool(module, node)
    }
    places: list[Place] = []
    for node in module.graph.nodes:
        if node in pools:
            places.append(_place(module, places, node, None, node, pools.pop(node)))
        elif stride := _strided(module, node):
            users = list(behind(module, node).users)
            if len(users) == 1 and users[0] in pools:
                step = pools.pop(users[0])
                both = (stride[0] * step[0], stride[1] * step[1])
                places.append(_place(module, places, node, node, users[0], both))
            else:
                places.append(_place(module, places, node, node, None, stride))
    return places


def _strided(module: fx.GraphModule, node: fx.Node) -> Size | None:
    """The stride of a strided convolution, None for any other node."""
    if node.op != "call_module":
        return None
    conv = module.get_submodule(str(node.target))
    sliding = is_convolution(conv) and len(node.meta["value"]) == 4
    both = reaches(conv) if sliding else None
    stride = (both[0].stride, both[1].stride) if both else (1, 1)
    return stride if max(stride) > 1 else None


def is_convolution(layer: nn.Module) -> bool:
    """Whether a layer is a 2-D convolution, in its own way perhaps."""
    return isinstance(layer, (nn.Conv2d, Convolution)) or kind(layer) is nn.Conv2d


def _place(
    module: fx.GraphModule,
    earlier: list[Place],
    first: fx.Node,
    conv: fx.Node | None,
    pool: fx.Node | None,
    stride: Size,
) -> Place:
    name = str(first.target) if first.op == "call_module" else first.name
    called = target(module, first)
    if isinstance(called, Convolution):
        name = called.path or first.name
    if any(place.name == name for place in earlier):  # a module that is called again
        name = first.name
    last = pool or conv
    assert last is not None
    return Place(name, conv, pool, stride, spatial(last))


def select(
    places: Sequence[Place], names: Sequence[str] | None, held: Sequence[str] = ()
) -> list[Place]:
    """The places of these names, or all; a convolution that is called twice is chosen whole.

    Args:
        places: all sites of a backbone.
        names: of those that are wanted; None: all.
        held: names of those that are not.

    Raises:
        UnknownName: one of the names is no site of the backbone.
        NothingToResize: none is left.
    """
    if not places:
        raise NothingToResize(
            "convert",
            "the backbone has no strided convolution and no strided pool, so there is nothing to "
            "replace",
            "Choose a backbone that changes its resolution, or add a pool (nn.MaxPool2d) to it",
        )
    known = [place.name for place in places]
    for name in (*(names or ()), *held):
        if name not in known:
            raise UnknownName.among("sites", name, known)
    wanted = _whole(places, known if names is None else names)
    left = _whole(places, held)
    chosen = [place for place in places if place.name in wanted - left]
    if not chosen:
        raise NothingToResize(
            "sites", "none of the backbone's sites is chosen", f"Choose some of {', '.join(known)}"
        )
    return chosen


def _whole(places: Sequence[Place], names: Sequence[str]) -> set[str]:
    """Names, and those of other calls of the same convolutions."""
    shared = {place.shared for place in places if place.name in names} - {None}
    return {p.name for p in places if p.name in names or p.shared in shared}
