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

from resnas.errors import UnsizedOperation
from resnas.graph.sizes import Map, Propagation, Rule, Window
from resnas.graph.trace import where
from resnas.polynomial import Dim, Polynomial, Shape, product

Args = list[Any]
Kwargs = dict[str, Any]


def argument(args: Args, kwargs: Kwargs, at: int, name: str, default: Any) -> Any:
    """An argument of a call that may be given by place or by name."""
    return kwargs.get(name, args[at] if args[at:] else default)


def pair(value: Any) -> tuple[int, int]:
    """An argument that torch takes as one number or as (vertical, horizontal)."""
    if isinstance(value, (tuple, list)):
        return (int(value[0]), int(value[-1]))
    return (int(value), int(value))


def window(p: Propagation, size: Dim, step: tuple[int, int, int, int], ceil: bool) -> Dim:
    """Positions of a window (kernel, stride, padding, dilation) on an axis of `size` pixels."""
    kernel, stride, padding, dilation = step
    span = dilation * (kernel - 1) + 1
    if stride == 1:
        return size + (2 * padding - span + 1)
    slide = Window(Polynomial.of(size), 2 * padding, span, stride, ceil, padding)
    return slide.value(size) if isinstance(size, int) else p.program.window(slide)


def _windows(
    p: Propagation, shape: Shape, channels: Dim, settings: tuple[Any, Any, Any, Any], ceil: bool
) -> Map:
    kernel, stride, padding, dilation = (pair(value) for value in settings)
    sizes = tuple(
        window(
            p, shape[2 + axis], (kernel[axis], stride[axis], padding[axis], dilation[axis]), ceil
        )
        for axis in (0, 1)
    )
    return Map((shape[0], channels, *sizes))


def _convolution(p: Propagation, node: fx.Node, args: Args, kwargs: Kwargs) -> Map:
    del kwargs
    conv = p.target(node)
    if conv.padding == "same":
        return Map((args[0].shape[0], conv.out_channels, *args[0].shape[2:]))
    padding = (0, 0) if conv.padding == "valid" else conv.padding
    settings = (conv.kernel_size, conv.stride, padding, conv.dilation)
    return _windows(p, args[0].shape, conv.out_channels, settings, ceil=False)


def _pool(p: Propagation, node: fx.Node, args: Args, kwargs: Kwargs) -> Map:
    del kwargs
    pool = p.target(node)
    settings = (pool.kernel_size, pool.stride, pool.padding, getattr(pool, "dilation", 1))
    return _windows(p, args[0].shape, args[0].shape[1], settings, pool.ceil_mode)


def pool_call(function: Any, args: Args, kwargs: Kwargs) -> tuple[Any, Any, Any, Any, bool]:
    """(kernel, stride, padding, dilation, ceil) of a call of F.max_pool2d or F.avg_pool2d."""
    names = ["kernel_size", "stride", "padding"]
    names += ["ceil_mode"] if function is F.avg_pool2d else ["dilation", "ceil_mode"]
    given = {**dict(zip(names, args[1:], strict=False)), **kwargs}
    kernel = given["kernel_size"]
    stride = given.get("stride") or kernel
    return (
        kernel,
        stride,
        given.get("padding", 0),
        given.get("dilation", 1),
        bool(given.get("ceil_mode", False)),
    )


def _pool_function(p: Propagation, node: fx.Node, args: Args, kwargs: Kwargs) -> Map:
    *settings, ceil = pool_call(node.target, args, kwargs)
    kernel, stride, padding, dilation = settings
    shape = args[0].shape
    return _windows(p, shape, shape[1], (kernel, stride, padding, dilation), ceil)


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
        return _arithmetic(node, operands)
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


def _arithmetic(node: fx.Node, operands: Args) -> Dim:
    one, other = operands
    if node.target in {operator.add, torch.add}:
        return one + other  # type: ignore[no-any-return]
    if node.target in {operator.mul, torch.mul}:
        return one * other  # type: ignore[no-any-return]
    raise unsized(node, "it computes with a size that can change")


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
    del p, kwargs
    if args[1] == "shape":
        return args[0].shape
    raise unsized(node, f"it reads '{args[1]}' of a map whose size can change")


def _item(p: Propagation, node: fx.Node, args: Args, kwargs: Kwargs) -> Any:
    del p, kwargs
    if isinstance(args[0], Map):
        raise unsized(node, "it indexes a map whose size can change")
    return args[0][args[1]]


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
_ELEMENTWISE = (
    *(operator.add, operator.iadd, operator.sub, operator.mul, operator.imul, operator.truediv),
    *(torch.add, torch.sub, torch.mul, "add", "add_", "mul", "mul_", "sub"),
)

POINTWISE = frozenset((*_SAME_MODULES, *_SAME_FUNCTIONS))
"""Normalisation, activation and the like: what a site may be moved behind."""

RULES: dict[Any, Rule] = {
    **dict.fromkeys(POINTWISE, _same),
    **dict.fromkeys(_ELEMENTWISE, _broadcast),
    nn.Conv2d: _convolution,
    nn.MaxPool2d: _pool,
    nn.AvgPool2d: _pool,
    torch.max_pool2d: _pool_function,  # what fx records for F.max_pool2d
    F.max_pool2d: _pool_function,
    F.avg_pool2d: _pool_function,
    nn.AdaptiveAvgPool2d: _adaptive_pool,
    nn.AdaptiveMaxPool2d: _adaptive_pool,
    F.adaptive_avg_pool2d: _adaptive_function,
    F.adaptive_max_pool2d: _adaptive_function,
    torch.cat: _concatenate,
    nn.Flatten: _flatten_module,
    torch.flatten: _flatten_function,
    "flatten": _flatten_function,
    **dict.fromkeys((torch.mean, torch.sum, torch.amax, "mean", "sum", "amax"), _reduce),
    nn.Linear: _linear,
    torch.permute: _permute,
    "permute": _permute,
    "size": _size,
    getattr: _attribute,
    operator.getitem: _item,
}
