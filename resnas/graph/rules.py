"""How operations change the size of a map: one pure rule an operation.

A rule gets the propagation, the node and its arguments, in which a tensor is a `Map` (its shape);
it is only asked where a size really varies.
"""

from __future__ import annotations

import operator
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn

from resnas.costs._base import lookup
from resnas.errors import UnsizedOperation
from resnas.graph.arithmetic import arithmetic
from resnas.graph.enlarge import ENLARGING
from resnas.graph.sizes import Propagation, Rule
from resnas.graph.trace import where
from resnas.graph.values import Map
from resnas.graph.windows import SLIDING, sliding
from resnas.polynomial import Dim, Shape, product

Args = list[Any]
Kwargs = dict[str, Any]


def argument(args: Args, kwargs: Kwargs, at: int, name: str, default: Any) -> Any:
    """An argument of a call that may be given by place or by name."""
    return kwargs.get(name, args[at] if args[at:] else default)


def _adaptive(shape: Shape, wanted: Any) -> Map:
    wanted = wanted if isinstance(wanted, (tuple, list)) else (wanted, wanted)
    sizes = (old if new is None else new for old, new in zip(shape[2:], wanted, strict=True))
    return Map((*shape[:2], *sizes))


def _adaptive_pool(p: Propagation, node: fx.Node, args: Args, kwargs: Kwargs) -> Map:
    del kwargs
    return _adaptive(args[0].shape, p.target(node).output_size)


def _adaptive_function(p: Propagation, node: fx.Node, args: Args, kwargs: Kwargs) -> Map:
    del p, node
    return _adaptive(args[0].shape, argument(args, kwargs, 1, "output_size", None))


def _same(p: Propagation, node: fx.Node, args: Args, kwargs: Kwargs) -> Map:
    del p, node
    value = args[0] if args else kwargs["input"]
    assert isinstance(value, Map)
    return value


def _broadcast(p: Propagation, node: fx.Node, args: Args, kwargs: Kwargs) -> Any:
    operands = [*args, *(kwargs[k] for k in ("input", "other") if k in kwargs)]
    shapes = [operand.shape for operand in operands if isinstance(operand, Map)]
    if not shapes:  # arithmetic on sizes themselves, e.g. x.shape[2] * 2
        return arithmetic(p, node, operands)
    rank = max(map(len, shapes))
    result: list[Dim] = [1] * rank
    for shape in shapes:
        padded = (*[1] * (rank - len(shape)), *shape)
        pairs = zip(result, padded, strict=True)
        result = [_meet(p, node, one, other) for one, other in pairs]
    return Map(tuple(result))


def _meet(p: Propagation, node: fx.Node, one: Dim, other: Dim) -> Dim:
    if one == other or other == 1:
        return one
    return other if one == 1 else p.agree(one, other, node)


def unsized(node: fx.Node, found: str) -> UnsizedOperation:
    """The error for a node that no rule can follow."""
    return UnsizedOperation(
        where(node),
        found,
        "Exclude the sites before it (sites=[...]), or end the map in a global pooling first",
    )


def _concatenate(p: Propagation, node: fx.Node, args: Args, kwargs: Kwargs) -> Map:
    parts = args[0] if args else kwargs["tensors"]
    axis = int(argument(args, kwargs, 1, "dim", 0))
    first, *rest = [list(part.shape) for part in parts]
    axis %= len(first)
    for shape in rest:
        for at in range(len(first)):
            first[at] = (
                first[at] + shape[at] if at == axis else _meet(p, node, first[at], shape[at])
            )
    return Map(tuple(first))


def _pad(p: Propagation, node: fx.Node, args: Args, kwargs: Kwargs) -> Map:
    called = p.target(node)
    around = getattr(called, "padding", None) or argument(args, kwargs, 1, "pad", ())
    shape = list((args[0] if args else kwargs["input"]).shape)
    for at in range(len(around) // 2):  # from the last axis on
        shape[-1 - at] = shape[-1 - at] + (around[2 * at] + around[2 * at + 1])
    return Map(tuple(shape))


def _flatten(shape: Shape, start: int, end: int) -> Map:
    start, end = start % len(shape), end % len(shape)
    return Map((*shape[:start], product(shape[start : end + 1]), *shape[end + 1 :]))


def _flatten_module(p: Propagation, node: fx.Node, args: Args, kwargs: Kwargs) -> Map:
    del kwargs
    flatten = p.target(node)
    return _flatten(args[0].shape, flatten.start_dim, flatten.end_dim)


def _flatten_function(p: Propagation, node: fx.Node, args: Args, kwargs: Kwargs) -> Map:
    del p, node
    start = int(argument(args, kwargs, 1, "start_dim", 0))
    end = int(argument(args, kwargs, 2, "end_dim", -1))
    return _flatten(args[0].shape, start, end)


def _parts(p: Propagation, node: fx.Node, args: Args, kwargs: Kwargs) -> Any:
    """Of torch.split and torch.chunk: as they were, along an axis that cannot change."""
    del p
    shape = args[0].shape
    axis = int(argument(args, kwargs, 2, "dim", 0)) % len(shape)
    if not isinstance(shape[axis], int) or not isinstance(node.meta["value"], (tuple, list)):
        return NotImplemented
    sizes = [int(part[axis]) for part in node.meta["value"]]
    if sum(sizes) != shape[axis]:
        return NotImplemented
    return tuple(Map((*shape[:axis], size, *shape[axis + 1 :])) for size in sizes)


def _transpose(p: Propagation, node: fx.Node, args: Args, kwargs: Kwargs) -> Map:
    del p, node
    shape = list(args[0].shape)
    one, other = (int(argument(args, kwargs, at, f"dim{at - 1}", 0)) for at in (1, 2))
    shape[one], shape[other] = shape[other], shape[one]
    return Map(tuple(shape))


def _reduce(p: Propagation, node: fx.Node, args: Args, kwargs: Kwargs) -> Map:
    del p, node
    shape = args[0].shape
    axes = argument(args, kwargs, 1, "dim", tuple(range(len(shape))))
    axes = {axis % len(shape) for axis in (axes if isinstance(axes, (tuple, list)) else (axes,))}
    if kwargs.get("keepdim", args[2] if args[2:] else False):
        return Map(tuple(1 if at in axes else dim for at, dim in enumerate(shape)))
    return Map(tuple(dim for at, dim in enumerate(shape) if at not in axes))


def _linear(p: Propagation, node: fx.Node, args: Args, kwargs: Kwargs) -> Map:
    del kwargs
    linear, shape = p.target(node), args[0].shape
    if shape[-1] != linear.in_features:
        raise unsized(
            node,
            f"it takes {linear.in_features} features, but a map whose size can change is "
            "flattened into it",
        )
    return Map((*shape[:-1], linear.out_features))


def _attention(p: Propagation, node: fx.Node, args: Args, kwargs: Kwargs) -> Map:
    """Of scaled dot-product attention: there are as many values as keys, which torch takes on
    trust.
    """
    query, key, value = (
        argument(args, kwargs, at, name, None).shape
        for at, name in enumerate(("query", "key", "value"))
    )
    tokens = _meet(p, node, key[-2], value[-2])
    mask = argument(args, kwargs, 3, "attn_mask", None)
    if isinstance(mask, Map):
        _meet(p, node, tokens, mask.shape[-1])
        _meet(p, node, query[-2], mask.shape[-2])
    return Map((*query[:-1], value[-1]))


def _permute(p: Propagation, node: fx.Node, args: Args, kwargs: Kwargs) -> Map:
    del p, node
    order = kwargs.get("dims", args[1] if len(args) == 2 else tuple(args[1:]))
    order = order if isinstance(order, (tuple, list)) else (order,)
    return Map(tuple(args[0].shape[axis] for axis in order))


def _size(p: Propagation, node: fx.Node, args: Args, kwargs: Kwargs) -> Any:
    del p, node
    axis = argument(args, kwargs, 1, "dim", None)
    return args[0].shape if axis is None else args[0].shape[axis]


def _attribute(p: Propagation, node: fx.Node, args: Args, kwargs: Kwargs) -> Any:
    del p, node, kwargs
    return args[0].shape if args[1] == "shape" else NotImplemented


def _item(p: Propagation, node: fx.Node, args: Args, kwargs: Kwargs) -> Any:
    del p, node, kwargs
    return NotImplemented if isinstance(args[0], Map) else args[0][args[1]]


_SAME_MODULES = (
    *(nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm2d, nn.LocalResponseNorm),
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish),
    *(nn.Sigmoid, nn.Tanh, nn.Hardswish, nn.Hardsigmoid, nn.Hardtanh, nn.Softplus),
    *(nn.Dropout, nn.Dropout2d, nn.Identity),
)
_SAME_FUNCTIONS = (
    *(F.relu, F.relu6, F.silu, F.gelu, F.hardswish, F.hardsigmoid, F.leaky_relu, F.dropout),
    *(F.elu, F.mish, torch.relu, torch.sigmoid, torch.tanh, F.batch_norm, F.layer_norm),
    *("relu", "relu_", "sigmoid", "tanh", "contiguous", "float", "clamp", "clamp_", "clone"),
    *("resnas.graph.trace.Randomised", "timm.layers.drop.DropPath"),
    "timm.layers.norm_act.BatchNormAct2d",
)
ELEMENTWISE = (
    *(operator.add, operator.iadd, operator.sub, operator.mul, operator.imul, operator.truediv),
    *(torch.add, torch.sub, torch.mul, "add", "add_", "mul", "mul_", "sub"),
)

REDUCING = (torch.mean, torch.sum, torch.amax, "mean", "sum", "amax")

POINTWISE = frozenset((*_SAME_MODULES, *_SAME_FUNCTIONS))
"""Normalisation, activation and the like: what a site may be moved behind."""


def rule_for(called: Any) -> Rule | None:
    """The size rule of what a node calls, if there is one."""
    if isinstance(called, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)):
        return sliding  # one with a forward of its own too
    return lookup(RULES, called)


RULES: dict[Any, Rule] = {
    **dict.fromkeys(POINTWISE, _same),
    **dict.fromkeys(ELEMENTWISE, _broadcast),
    **SLIDING,
    nn.AdaptiveAvgPool2d: _adaptive_pool,
    nn.AdaptiveMaxPool2d: _adaptive_pool,
    F.adaptive_avg_pool2d: _adaptive_function,
    F.adaptive_max_pool2d: _adaptive_function,
    **dict.fromkeys((operator.floordiv, operator.mod, operator.neg), _broadcast),
    **dict.fromkeys((F.pad, nn.ZeroPad2d, nn.ConstantPad2d), _pad),
    torch.cat: _concatenate,
    nn.Flatten: _flatten_module,
    torch.flatten: _flatten_function,
    "flatten": _flatten_function,
    **dict.fromkeys(REDUCING, _reduce),
    **ENLARGING,
    nn.Linear: _linear,
    F.scaled_dot_product_attention: _attention,
    torch.permute: _permute,
    "permute": _permute,
    **dict.fromkeys((torch.transpose, "transpose"), _transpose),
    **dict.fromkeys((torch.split, torch.chunk, "split", "chunk"), _parts),
    "size": _size,
    getattr: _attribute,
    operator.getitem: _item,
}
