"""Windows that slide over a map: convolutions and pools, and what size each of them gives."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from resnas.costs._base import lookup
from resnas.graph.sizes import Propagation, Rule
from resnas.graph.values import Map
from resnas.graph.variables import Window
from resnas.polynomial import Dim, Polynomial, Shape

Args = list[Any]
Kwargs = dict[str, Any]


def pair(value: Any) -> tuple[int, int]:
    """An argument that torch takes as one number or as (vertical, horizontal)."""
    if isinstance(value, (tuple, list)):
        return (int(value[0]), int(value[-1]))
    return (int(value), int(value))


@dataclass(frozen=True)
class Reach:
    """How a window slides along one axis; see `Window`."""

    padded: int
    span: int
    stride: int
    ceil: bool = False
    padding: int = 0

    @property
    def growth(self) -> int:
        """Pixels that the map gains at a stride of 1."""
        return self.padded - (self.span - 1)

    def over(self, size: Polynomial) -> Window:
        """The window over an axis of `size` pixels."""
        return Window(size, self.padded, self.span, self.stride, self.ceil, self.padding)

    def positions(self, size: int) -> int:
        """Its positions on an axis of `size` pixels."""
        return self.over(Polynomial.of(size)).value(size)


Reaches = tuple[Reach, Reach]

_known: MutableMapping[nn.Module, Callable[[Any], Reaches] | None] = WeakKeyDictionary()


def reaches(layer: Any) -> Reaches | None:
    """How the window of a convolution or a pool slides, vertically and horizontally.

    A layer with a forward of its own (weights standardised, maps padded by what their size asks
    for) is watched at some sizes to see whether it gives those of its parent, or those of
    TensorFlow's "same": the map's size over the stride, rounded up.

    Returns:
        None for all that is no such layer, or gives other sizes.
    """
    if lookup(dict.fromkeys(WINDOWED, True), layer):
        return _plain(layer)
    if not isinstance(layer, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)):
        return None
    if layer not in _known:
        _known[layer] = next((f for f in (_plain, _same) if _slides_as(layer, f)), None)
    form = _known[layer]
    return None if form is None else form(layer)


def _plain(layer: Any) -> Reaches:
    padding, kernel = getattr(layer, "padding", 0), pair(layer.kernel_size)
    stride = pair(kernel if layer.stride is None else layer.stride)
    dilation = pair(getattr(layer, "dilation", 1))
    around = (0, 0) if isinstance(padding, str) else pair(padding)
    ceil = bool(getattr(layer, "ceil_mode", False))

    def along(axis: int) -> Reach:
        span = dilation[axis] * (kernel[axis] - 1) + 1
        padded = span - 1 if padding == "same" else 2 * around[axis]
        return Reach(padded, span, stride[axis], ceil, around[axis])

    return along(0), along(1)


def _same(layer: Any) -> Reaches:
    v, h = pair(layer.stride)
    return Reach(0, 1, v), Reach(0, 1, h)


def _slides_as(layer: Any, form: Callable[[Any], Reaches]) -> bool:
    """Whether a layer gives the sizes of `form`, with its stride and without one."""
    stride = layer.stride
    parameter = next(layer.parameters(), torch.empty(0))
    channels = getattr(layer, "in_channels", 1)
    least = [r.span for r in _plain(layer)]
    try:
        with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
            for step in (stride, (1, 1)):
                layer.stride = step
                for more in (5, 6, 8):
                    size = [least[0] + more, least[1] + more + 3]
                    x = torch.empty(1, channels, *size, dtype=parameter.dtype)
                    found = layer(x.to(parameter.device)).shape[2:]
                    wanted = [r.positions(n) for r, n in zip(form(layer), size, strict=True)]
                    if list(found) != wanted:
                        return False
    except Exception:  # noqa: BLE001  whatever it asks for, it is no sliding window
        return False
    finally:
        layer.stride = stride
    return True


class Convolution(nn.Module):
    """`F.conv2d` with weights that are computed: a layer, that it may be a site.

    Attributes:
        kernel_size, stride, padding, dilation, groups, out_channels: as those of `nn.Conv2d`.
        path: of the module that calls it, empty for the network itself.
    """

    path = ""

    def __init__(
        self, weight: Sequence[int], stride: Any, padding: Any, dilation: Any, groups: int
    ) -> None:
        super().__init__()
        self.out_channels = weight[0]
        self.in_channels = weight[1] * groups
        self.kernel_size = (weight[2], weight[3])
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.groups = groups

    def forward(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """`x` (N, C, H, W) convolved with `weight` (out, C / groups, h, w)."""
        return F.conv2d(x, weight, bias, self.stride, self.padding, self.dilation, self.groups)


WINDOWED = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d, nn.LPPool2d, Convolution)
"""Layers whose window slides as torch says."""


def window(p: Propagation, size: Dim, reach: Reach) -> Dim:
    """Positions of a window on an axis of `size` pixels."""
    if reach.stride == 1:
        return size + reach.growth
    if isinstance(size, int):
        return reach.positions(size)
    return p.program.window(reach.over(size))


def _windows(p: Propagation, shape: Shape, channels: Dim, both: Reaches) -> Map:
    sizes = (window(p, size, reach) for size, reach in zip(shape[2:], both, strict=True))
    return Map((shape[0], channels, *sizes))


def sliding(p: Propagation, node: fx.Node, args: Args, kwargs: Kwargs) -> Any:
    """The size rule of all convolutions and pools that are layers."""
    del kwargs
    layer, shape = p.target(node), args[0].shape
    both = reaches(layer)
    if both is None or len(shape) != 4:
        return NotImplemented
    return _windows(p, shape, getattr(layer, "out_channels", shape[1]), both)


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


def pool_reaches(function: Any, args: Args, kwargs: Kwargs) -> Reaches:
    """How the window of a pool that is called as a function slides."""
    kernel, stride, padding, dilation, ceil = pool_call(function, args, kwargs)

    def along(axis: int) -> Reach:
        k, s, around, d = (pair(value)[axis] for value in (kernel, stride, padding, dilation))
        return Reach(2 * around, d * (k - 1) + 1, s, ceil, around)

    return along(0), along(1)


def _pool_function(p: Propagation, node: fx.Node, args: Args, kwargs: Kwargs) -> Map:
    shape = args[0].shape
    return _windows(p, shape, shape[1], pool_reaches(node.target, args, kwargs))


SLIDING: dict[Any, Rule] = {
    **dict.fromkeys(WINDOWED, sliding),
    torch.max_pool2d: _pool_function,  # what fx records for F.max_pool2d
    F.max_pool2d: _pool_function,
    F.avg_pool2d: _pool_function,
}
"""Size rules, a part of `resnas.graph.rules.RULES`."""
