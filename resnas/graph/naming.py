"""Functions become layers where sites, sizes or costs have to be told from them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn

from resnas.graph.enlarge import ToSize
from resnas.graph.windows import Convolution


def name_functions(module: fx.GraphModule) -> None:
    """Make layers of calls of `F.interpolate`, `F.conv2d` and `F.pixel_shuffle`.

    An interpolation to a constant size or factor becomes `nn.Upsample`, one whose size is computed
    from other maps becomes `ToSize`. Any other (with antialiasing, or a computed factor) stays.
    """
    for node in list(module.graph.nodes):
        if node.op == "call_function" and node.target in _NAMING:
            _NAMING[node.target](module, node)
    module.recompile()


def _interpolation(module: fx.GraphModule, node: fx.Node) -> None:
    given = inspect.signature(F.interpolate).bind(*node.args, **node.kwargs)
    given.apply_defaults()
    settings = dict(given.arguments)
    x, size, scale = (settings.pop(key) for key in ("input", "size", "scale_factor"))
    antialias = settings.pop("antialias")
    computed = _has_nodes(size)
    if isinstance(size, fx.Node) and isinstance(size.meta["value"], int):
        size = (size, size)
    if antialias or _has_nodes((scale, *settings.values())):
        return
    if computed:
        layer: nn.Module = ToSize(settings["mode"], settings["align_corners"])
    else:
        layer = nn.Upsample(size, scale, **settings)
    become(module, node, layer, (x, size) if computed else (x,))


_CONV2D = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")


def _convolution(module: fx.GraphModule, node: fx.Node) -> None:
    given: dict[str, Any] = {**dict(zip(_CONV2D, node.args, strict=False)), **node.kwargs}
    x, weight = given.pop("input"), given.pop("weight")
    bias = given.pop("bias", None)
    if _has_nodes(given) or len(weight.meta["value"]) != 4:
        return
    layer = Convolution(
        weight.meta["value"],
        given.get("stride", 1),
        given.get("padding", 0),
        given.get("dilation", 1),
        given.get("groups", 1),
    )
    layer.path = next(reversed(node.meta.get("nn_module_stack", {"": None})))
    become(module, node, layer, (x, weight) if bias is None else (x, weight, bias))


def _pixel_shuffle(module: fx.GraphModule, node: fx.Node) -> None:
    factor: Any = node.kwargs.get("upscale_factor", node.args[-1])
    if not _has_nodes(factor):
        become(module, node, nn.PixelShuffle(int(factor)), node.args[:1])


_NAMING: dict[Any, Callable[[fx.GraphModule, fx.Node], None]] = {
    F.interpolate: _interpolation,
    F.conv2d: _convolution,
    torch.conv2d: _convolution,
    F.pixel_shuffle: _pixel_shuffle,
    torch.pixel_shuffle: _pixel_shuffle,
}


def become(module: fx.GraphModule, node: fx.Node, layer: nn.Module, args: Any) -> None:
    """Let a node of the graph call `layer` instead."""
    name = f"layer_{node.name}"
    module.add_submodule(name, layer)
    node.op, node.target, node.args, node.kwargs = "call_module", name, args, {}


def _has_nodes(value: Any) -> bool:
    found: list[fx.Node] = []
    fx.node.map_arg(value, found.append)
    return bool(found)
