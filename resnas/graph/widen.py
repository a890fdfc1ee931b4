"""More channels for all that follows a map: layers that take a widened map instead of the map.

Space to depth gives every channel several times. A layer that treats channels alone is given to
each of them; one that mixes channels takes them all in, started such that it computes what it did.
"""

from __future__ import annotations

import copy
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from resnas.costs._base import lookup
from resnas.graph.embed import convolution_like, parameter, peculiar
from resnas.graph.enlarge import ToSize
from resnas.graph.rules import ELEMENTWISE, POINTWISE, REDUCING, argument
from resnas.graph.sites import target
from resnas.graph.trace import where


@dataclass(frozen=True)
class Spread:
    """What the channels of a widened map are.

    Attributes:
        origin: by channel, the channel of the original map that it is made of.
        share: by channel, the factor of that channel's weight with which it stands for it: the
            products of value and share over one origin add up to the original channel.
    """

    origin: tuple[int, ...]
    share: tuple[float, ...]

    def at(self, values: Tensor, axis: int) -> Tensor:
        """`values` by original channel, repeated for each of the widened channels."""
        return values.index_select(axis, torch.tensor(self.origin, device=values.device))

    def weight(self, weight: Tensor) -> Tensor:
        """A layer's weight (out, in, ...) that takes the widened map in, with equal results."""
        shares = torch.tensor(self.share, dtype=weight.dtype, device=weight.device)
        return self.at(weight, 1).mul_(shares.view(1, -1, *[1] * (weight.dim() - 2)))

    def pixels(self, count: int) -> Spread:
        """The same map flattened, `count` pixels a channel."""
        origin = (channel * count + p for channel in self.origin for p in range(count))
        return Spread(tuple(origin), tuple(s for s in self.share for _ in range(count)))


class TooNarrow(Exception):
    """Something behind a widened map cannot take more channels."""

    def __init__(self, node: fx.Node, found: str) -> None:
        self.found = f"{where(node)} cannot take more channels: {found}"
        super().__init__(self.found)


@dataclass
class Widening:
    """What has to change behind a map for it to have more channels; nothing is changed yet.

    Attributes:
        module: traced.
        spreads: of every node whose result has more channels (or more features).
        layers: new ones, by the path of those that they replace.
    """

    module: fx.GraphModule
    spreads: dict[fx.Node, Spread]
    layers: dict[str, nn.Module]

    def layer(self, node: fx.Node) -> Any:
        """The layer that `node` calls.

        Raises:
            TooNarrow: other nodes call it as well.
        """
        calls = [n for n in self.module.graph.nodes if n.op == node.op and n.target == node.target]
        if len(calls) > 1:
            raise TooNarrow(node, "it is called in several places")
        found = target(self.module, node)
        if reason := peculiar(found):
            raise TooNarrow(node, reason)
        return found

    def apply(self) -> None:
        """Put the new layers in place and note the new shapes."""
        for path, layer in self.layers.items():
            self.module.set_submodule(path, layer)
        for node, spread in self.spreads.items():
            batch, _, *rest = node.meta["value"]
            node.meta["value"] = torch.Size((batch, len(spread.origin), *rest))


def widen(module: fx.GraphModule, node: fx.Node, spread: Spread) -> Widening:
    """What has to change for the users of `node` to be given a map spread like this instead.

    Raises:
        TooNarrow: one of the layers behind it cannot take more channels.
    """
    plan = Widening(module, {node: spread}, {})
    for user in module.graph.nodes:
        sources = [source for source in user.all_input_nodes if source in plan.spreads]
        if not sources:
            continue
        rule = None if user.op == "output" else lookup(_RULES, target(module, user))
        if rule is None:
            raise TooNarrow(user, "it mixes, moves or counts channels")
        behind = rule(plan, user, plan.spreads[sources[0]])
        if behind is not None:
            plan.spreads[user] = behind
    del plan.spreads[node]
    return plan


Rule = Callable[[Widening, fx.Node, Spread], "Spread | None"]
"""What is behind a node that is given a widened map; None: what was there before."""


def _same(plan: Widening, node: fx.Node, spread: Spread) -> Spread:
    del plan, node
    return spread


def _by_channel(plan: Widening, node: fx.Node, spread: Spread) -> Spread:
    """Batch norm and the like: every channel takes over the numbers of its origin."""
    layer = copy.deepcopy(plan.layer(node))
    for name, old in (*layer.named_parameters(recurse=False), *layer.named_buffers(recurse=False)):
        if old.dim() == 1 and len(old) == _channels(node.all_input_nodes[0]):
            new = spread.at(old.detach(), 0)
            setattr(layer, name, parameter(new, old) if isinstance(old, nn.Parameter) else new)
    for count in ("num_features", "num_parameters"):
        if getattr(layer, count, None) == _channels(node.all_input_nodes[0]):
            setattr(layer, count, len(spread.origin))
    plan.layers[str(node.target)] = layer
    return spread


def _convolution(plan: Widening, node: fx.Node, spread: Spread) -> Spread | None:
    conv = plan.layer(node)
    if not isinstance(conv, nn.Conv2d):
        raise TooNarrow(node, f"{type(conv).__name__} has weights of its own kind")
    if conv.groups == 1:
        weight = spread.weight(conv.weight.detach())
        plan.layers[str(node.target)] = convolution_like(conv, weight)
        return None
    if not conv.groups == conv.in_channels == conv.out_channels:
        raise TooNarrow(node, f"it takes them in {conv.groups} groups")
    made = convolution_like(conv, spread.at(conv.weight.detach(), 0), groups=len(spread.origin))
    if conv.bias is not None:
        made.bias = parameter(spread.at(conv.bias.detach(), 0), conv.bias)
    plan.layers[str(node.target)] = made
    return spread


def _linear(plan: Widening, node: fx.Node, spread: Spread) -> None:
    linear = plan.layer(node)
    if len(node.all_input_nodes[0].meta["value"]) != 2:
        raise TooNarrow(node, "it is given a map that is not flattened")
    made = copy.deepcopy(linear, {id(linear.weight): linear.weight})  # of its weight no copy
    made.weight = parameter(spread.weight(linear.weight.detach()), linear.weight)
    made.in_features = len(spread.origin)
    plan.layers[str(node.target)] = made


def _flatten(plan: Widening, node: fx.Node, spread: Spread) -> Spread:
    """A map (N, C, ...) as (N, features), or with its pixels alone in a row."""
    del plan
    before, after = (n.meta["value"] for n in (node.all_input_nodes[0], node))
    if tuple(before[:2]) == tuple(after[:2]):
        return spread
    if len(after) != 2 or before[0] != after[0]:
        raise TooNarrow(node, "it moves channels to another axis")
    return spread.pixels(math.prod(before[2:]))


def _reshape(plan: Widening, node: fx.Node, spread: Spread) -> Spread:
    """`x.view(n, -1)`: a flattening that finds its number of features by itself."""
    sizes = node.args[1:] if not isinstance(node.args[1], (tuple, list)) else node.args[1]
    if len(sizes) != 2 or sizes[1] != -1:
        raise TooNarrow(node, "it gives the map a fixed number of channels")
    return _flatten(plan, node, spread)


def _reduce(plan: Widening, node: fx.Node, spread: Spread) -> Spread:
    del plan
    axes = argument(list(node.args), dict(node.kwargs), 1, "dim", (0, 1))
    rank = len(node.all_input_nodes[0].meta["value"])
    axes = axes if isinstance(axes, (tuple, list)) else (axes,)
    if any(axis % rank < 2 for axis in axes):
        raise TooNarrow(node, "it adds up channels")
    return spread


def _concatenate(plan: Widening, node: fx.Node, spread: Spread) -> Spread:
    del spread
    if argument(list(node.args), dict(node.kwargs), 1, "dim", 0) not in (1, -3):
        raise TooNarrow(node, "it puts maps of different channels in a row")
    parts = node.args[0] if node.args else node.kwargs["tensors"]
    assert isinstance(parts, (tuple, list))
    origin: list[int] = []
    share: list[float] = []
    first = 0
    for part in parts:
        assert isinstance(part, fx.Node)
        count = _channels(part)
        own = plan.spreads.get(part, Spread(tuple(range(count)), (1.0,) * count))
        origin += [first + channel for channel in own.origin]
        share += own.share
        first += count
    return Spread(tuple(origin), tuple(share))


def _elementwise(plan: Widening, node: fx.Node, spread: Spread) -> Spread:
    """Maps that are spread alike may meet; one of a single channel meets any."""
    for source in node.all_input_nodes:
        value = source.meta["value"]
        alone = isinstance(value, torch.Size) and len(value) == 4 and value[1] == 1
        if plan.spreads.get(source) != spread and not (alone and _channels(node) > 1):
            raise TooNarrow(node, "it meets a map that keeps the channels it has")
    return spread


def _size(plan: Widening, node: fx.Node, spread: Spread) -> None:
    """Reading a shape is harmless where nobody asks for the number of channels."""
    del plan, spread
    axis = argument(list(node.args), dict(node.kwargs), 1, "dim", None)
    if axis is not None:
        _must_not_ask(node, node.all_input_nodes[0], axis)
    else:
        _must_not_read(node)


def _attribute(plan: Widening, node: fx.Node, spread: Spread) -> None:
    del plan, spread
    if node.args[1] == "shape":
        _must_not_read(node)
    elif node.args[1] not in {"device", "dtype"}:
        raise TooNarrow(node, f"it reads '{node.args[1]}'")


def _must_not_read(shape: fx.Node) -> None:
    for user in shape.users:
        if user.target is not operator.getitem:
            raise TooNarrow(user, "it counts channels")
        _must_not_ask(user, shape.all_input_nodes[0], user.args[1])


def _must_not_ask(node: fx.Node, source: fx.Node, axis: Any) -> None:
    asked = range(len(source.meta["value"]))[axis]
    if node.users and (asked == 1 or (isinstance(asked, range) and 1 in asked)):
        raise TooNarrow(node, "it counts channels")


def _channels(node: fx.Node) -> int:
    return int(node.meta["value"][1])


_MIXING = {nn.LayerNorm, nn.GroupNorm, nn.LocalResponseNorm, F.batch_norm, F.layer_norm}
_RULES: Mapping[Any, Rule] = {
    **dict.fromkeys(POINTWISE - _MIXING, _same),
    **dict.fromkeys((nn.BatchNorm1d, nn.BatchNorm2d, nn.InstanceNorm2d, nn.PReLU), _by_channel),
    "timm.layers.norm_act.BatchNormAct2d": _by_channel,
    **dict.fromkeys(
        (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d), _same
    ),
    **dict.fromkeys((torch.max_pool2d, F.max_pool2d, F.avg_pool2d), _same),
    **dict.fromkeys((F.adaptive_avg_pool2d, F.adaptive_max_pool2d, nn.ZeroPad2d), _same),
    **dict.fromkeys((nn.Upsample, ToSize), _same),
    nn.Conv2d: _convolution,
    nn.Linear: _linear,
    **dict.fromkeys((nn.Flatten, torch.flatten, "flatten"), _flatten),
    **dict.fromkeys(("view", "reshape"), _reshape),
    **dict.fromkeys(REDUCING, _reduce),
    **dict.fromkeys(ELEMENTWISE, _elementwise),
    torch.cat: _concatenate,
    getattr: _attribute,
    "size": _size,
}
