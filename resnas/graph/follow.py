"""An enlarged map follows the size of the map it meets, whatever that becomes.

In a backbone an enlarging operation multiplies a size, such that its map fits another one: that of
a U-Net's skip, of a pyramid's lateral branch. Where sizes are learned, that is said outright.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import torch
from torch import fx, nn

from resnas.graph.enlarge import ToSize
from resnas.graph.naming import become
from resnas.graph.rules import ELEMENTWISE
from resnas.graph.sites import Place, target
from resnas.graph.trace import spatial


def follow(module: fx.GraphModule, places: Sequence[Place]) -> None:
    """Rewrite what enlarges maps, in the graph itself.

    Where an enlarged map meets another one in a sum, a product or a concatenation, it is
    interpolated to that map's size: where it is enlarged if that map is known there, else just
    before they meet. One that meets none keeps the size it has in the backbone. What no site can
    reach is left as it is.

    Args:
        module: traced, `name_functions` done.
        places: the sites that can change sizes.
    """
    walk = _Walk(module, places)
    for node in list(module.graph.nodes):
        walk.visit(node)
    walk.hold_the_rest()
    module.graph.lint()
    module.recompile()


class _Walk:
    """From the input on: which enlarging operation gave each map its size.

    Attributes:
        order: of the nodes in the backbone.
        roots: by map, the enlarging operation that its size is due to, and whether all between
            them keeps the size.
        changing: nodes whose size a site can change.
        followed: enlarging operations that go by another map now.
        met: those whose maps are fitted to another one where the two meet.
    """

    def __init__(self, module: fx.GraphModule, places: Sequence[Place]) -> None:
        self.module = module
        self.sites = {n for p in places for n in (p.convolution, p.pool) if n is not None}
        self.order = {node: index for index, node in enumerate(module.graph.nodes)}
        self.roots: dict[fx.Node, tuple[fx.Node, bool]] = {}
        self.changing: set[fx.Node] = set()
        self.followed: set[fx.Node] = set()
        self.met: set[fx.Node] = set()

    def visit(self, node: fx.Node) -> None:
        if node in self.sites or not self.changing.isdisjoint(node.all_input_nodes):
            self.changing.add(node)
        if node.op in {"placeholder", "output"} or node in self.sites or not _is_map(node):
            return
        maps = [source for source in node.all_input_nodes if _is_map(source)]
        if _enlarges(self.module, node):
            self.roots[node] = (node, True)
        elif len(maps) > 1 and _joins(node):
            self._meet(node, [m for m in maps if spatial(m) == spatial(node)])
        elif maps and spatial(node) != (1, 1) and maps[0] in self.roots:
            root, exact = self.roots[maps[0]]
            self.roots[node] = (root, exact and spatial(node) == spatial(maps[0]))

    def _root(self, node: fx.Node) -> fx.Node | None:
        root, _ = self.roots.get(node, (None, True))
        return None if root in self.followed else root

    def _age(self, node: fx.Node) -> int:
        """When a map got its size by being enlarged; before all others if it was not."""
        root = self._root(node)
        return -1 if root is None else self.order[root]

    def _meet(self, node: fx.Node, maps: Sequence[fx.Node]) -> None:
        if not maps:  # both are stretched
            return
        reference = min(maps, key=self._age)
        for enlarged in maps:
            root = self._root(enlarged)
            reached = {root, reference} & self.changing
            if root is not None and root is not self._root(reference) and reached:
                self._tie(node, enlarged, root, reference)
        if reference in self.roots:
            self.roots[node] = self.roots[reference]

    def _tie(self, node: fx.Node, enlarged: fx.Node, root: fx.Node, reference: fx.Node) -> None:
        """Give `enlarged`, due to `root`, the size of `reference` where the two meet."""
        self.changing.add(root)
        if self._comes_after(reference, root, enlarged, node):
            self.followed.add(root)
            self._resize(root, _size_of(reference, root))
            return
        self.met.add(root)
        size = _size_of(reference, node)
        with self.module.graph.inserting_before(node):
            fitted = self.module.graph.create_node("call_module", "", name=f"{root.name}_fitted")
        node.replace_input_with(enlarged, fitted)
        self._fit(fitted, enlarged, root, size)

    def _resize(self, root: fx.Node, size: Any) -> None:
        """Let what enlarges give `size`: at once if it interpolates, else by a further step."""
        layer = target(self.module, root)
        if isinstance(layer, nn.Upsample):
            same = ToSize(layer.mode, layer.align_corners, _factors(layer))
            become(self.module, root, same, (root.args[0], size))
            return
        with self.module.graph.inserting_after(root):
            fitted = self.module.graph.create_node("call_module", "", name=f"{root.name}_fitted")
        root.replace_all_uses_with(fitted)
        self.roots[fitted] = (root, True)
        self._fit(fitted, root, root, size)

    def _fit(self, fitted: fx.Node, enlarged: fx.Node, root: fx.Node, size: Any) -> None:
        """Make `fitted` the map `enlarged`, due to `root`, at another size."""
        fitted.meta.update(enlarged.meta)
        fitted.stack_trace = root.stack_trace
        become(self.module, fitted, _like(target(self.module, root)), (enlarged, size))

    def _comes_after(
        self, reference: fx.Node, root: fx.Node, enlarged: fx.Node, node: fx.Node
    ) -> bool:
        """Whether `reference` is there when `root` is called; if need be, that is put off."""
        order = {each: index for index, each in enumerate(self.module.graph.nodes)}
        if not self.roots[enlarged][1]:
            return False
        if order[reference] < order[root]:
            return True
        chain = [enlarged]
        while chain[-1] is not root:
            sources = (m for m in chain[-1].all_input_nodes if m in self.roots)
            chain.append(next(m for m in sources if self.roots[m][0] is root))
        if any(len(each.users) > 1 for each in (*chain, root.all_input_nodes[0])):
            return False  # something else needs it, or changes what it is made of
        for each in reversed(chain):
            node.prepend(each)
        return True

    def hold_the_rest(self) -> None:
        """What meets nothing gives the size that it gives in the backbone."""
        roots = [node for node, (root, _) in self.roots.items() if node is root]
        for root in roots:
            if root in self.changing and root not in self.followed | self.met:
                self._resize(root, spatial(root))


def _like(layer: nn.Module) -> ToSize:
    """Interpolation to a given size as `layer` interpolates, bilinear where it does not."""
    if isinstance(layer, nn.Upsample):
        return ToSize(layer.mode, layer.align_corners)
    return ToSize("bilinear", False)


def _factors(layer: nn.Upsample) -> tuple[float, float] | None:
    """What it enlarges by, where that is no whole number; none if it goes by the size alone."""
    factor = layer.scale_factor
    if factor is None or layer.recompute_scale_factor:
        return None
    v, h = (factor[0], factor[1]) if isinstance(factor, tuple) else (factor, factor)
    return None if float(v).is_integer() and float(h).is_integer() else (float(v), float(h))


def _size_of(reference: fx.Node, before: fx.Node) -> fx.Node:
    """A node that reads (height, width) of a map."""
    graph = reference.graph
    with graph.inserting_before(before):
        shape = graph.call_function(getattr, (reference, "shape"))
        size = graph.call_function(operator.getitem, (shape, slice(2, None)))
    shape.meta["value"] = reference.meta["value"]
    size.meta["value"] = reference.meta["value"][2:]
    shape.meta["dtype"] = size.meta["dtype"] = None
    shape.stack_trace = size.stack_trace = before.stack_trace
    return size


def _enlarges(module: fx.GraphModule, node: fx.Node) -> bool:
    if node.op != "call_module":
        return False
    layer = target(module, node)
    if isinstance(layer, nn.ConvTranspose2d):
        return max(layer.stride) > 1
    return isinstance(layer, (nn.Upsample, nn.PixelShuffle))


def _joins(node: fx.Node) -> bool:
    return node.target is torch.cat or node.target in ELEMENTWISE


def _is_map(node: fx.Node) -> bool:
    value = node.meta.get("value")
    reads = node.target is getattr or node.target == "size"  # a shape is no map
    return isinstance(value, torch.Size) and len(value) == 4 and not reads
