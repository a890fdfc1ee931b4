"""A converted graph becomes a plain module at its present integer sizes."""

from __future__ import annotations

import copy
from collections.abc import Mapping

from torch import fx

from resnas.resizers._base import AbstractResizer
from resnas.results import Size


def fix(
    module: fx.GraphModule, sizes: Mapping[fx.Node, tuple[Size, Size | None]]
) -> fx.GraphModule:
    """A copy of `module` in which every resizer is the same operator of a fixed size.

    Args:
        module: converted graph; weights, statistics and mode are copied.
        sizes: of every resizer's node, the (H, W) that enters it and that of its leader's map.
    """
    by_name = {node.name: size for node, size in sizes.items()}
    fixed = copy.deepcopy(module)
    for node in fixed.graph.nodes:
        if node.name not in by_name:
            continue
        name = str(node.target)
        resizer = fixed.get_submodule(name)
        assert isinstance(resizer, AbstractResizer)
        fixed.add_submodule(name, resizer.fixed(*by_name[node.name]))
        node.args = node.args[:1]
    fixed.graph.lint()
    fixed.recompile()
    return fixed
