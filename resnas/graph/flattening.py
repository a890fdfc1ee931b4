"""Maps that are flattened with their pixels, as AlexNet and VGG do before their linear layers."""

from __future__ import annotations

import torch
from torch import fx, nn

from resnas.graph.trace import spatial


def fit_to_flatten(module: fx.GraphModule) -> None:
    """Put an adaptive average pool before each flattening of a map, in the graph itself.

    It gives the map the size that it has in the backbone, whatever its size has become; at that
    size each of its windows is one pixel.

    Args:
        module: traced.
    """
    for node in list(module.graph.nodes):
        if not _flattens(node):
            continue
        source = node.all_input_nodes[0]
        name = f"fit_{node.name}"
        module.add_submodule(name, nn.AdaptiveAvgPool2d(spatial(source)))
        with module.graph.inserting_before(node):
            fitted = module.graph.call_module(name, (source,))
        fitted.meta.update(source.meta)
        fitted.stack_trace = node.stack_trace
        node.replace_input_with(source, fitted)
    module.recompile()


def _flattens(node: fx.Node) -> bool:
    """Whether a node makes one axis of a map's channels and pixels."""
    if node.op not in {"call_module", "call_function", "call_method"} or not node.all_input_nodes:
        return False
    after, before = node.meta["value"], node.all_input_nodes[0].meta["value"]
    if not isinstance(after, torch.Size) or not isinstance(before, torch.Size):
        return False
    one_axis = len(before) == 4 and len(after) == 2 and before[0] == after[0]
    return one_axis and after[1] == before[1:].numel() and before[2:].numel() > 1
