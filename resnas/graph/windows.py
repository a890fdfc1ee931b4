"""Windows that slide over a map: convolutions and pools, and what size each of them gives."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn

from resnas.graph.sizes import Map, Propagation, Rule, Window
from resnas.polynomial import Dim, Polynomial, Shape

Args = list[Any]
Kwargs = dict[str, Any]


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


SLIDING: dict[Any, Rule] = {
    nn.Conv2d: _convolution,
    nn.MaxPool2d: _pool,
    nn.AvgPool2d: _pool,
    torch.max_pool2d: _pool_function,  # what fx records for F.max_pool2d
    F.max_pool2d: _pool_function,
    F.avg_pool2d: _pool_function,
}
"""Size rules, a part of `resnas.graph.rules.RULES`."""
