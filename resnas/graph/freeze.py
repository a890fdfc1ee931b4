"""A converted graph becomes a plain module at its present integer sizes."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

from torch import fx, nn

from resnas.resizers._base import AbstractResizer
from resnas.results import Architecture, Size


@dataclass(frozen=True)
class Facts:
    """What a frozen network knows of itself.

    Attributes:
        input_size: (C, H, W) of one sample.
        architecture: its resolutions.
        macs: multiply-accumulates of one sample.
    """

    input_size: tuple[int, int, int]
    architecture: Architecture
    macs: int


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


def describe(module: fx.GraphModule, facts: Facts) -> None:
    """Let a frozen network carry its facts, also through `copy.deepcopy` and `torch.save`."""
    module.meta["resnas"] = facts  # copying keeps `meta` but no attribute; saving, the reverse
    module.resnas_facts = facts  # type: ignore[assignment]


def facts_of(module: nn.Module) -> Facts | None:
    """The facts of a frozen network; None for any other module."""
    facts = getattr(module, "meta", {}).get("resnas") or getattr(module, "resnas_facts", None)
    return facts if isinstance(facts, Facts) else None
