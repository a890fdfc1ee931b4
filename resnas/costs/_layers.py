"""What of an operation decides how long it takes, and how it is run at sizes of choice."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn

from resnas.costs._base import Entering, Operation, kind
from resnas.costs._reaching import fixed_at
from resnas.polynomial import Dim, Polynomial, Shape
from resnas.resizers._base import AbstractResizer
from resnas.resizers._fixed import FixedStrideResizer

VIEWS: tuple[Any, ...] = (
    *(getattr, operator.getitem, operator.floordiv, torch.chunk, torch.split, torch.unsqueeze),
    *(torch.permute, torch.transpose, torch.squeeze, torch.flatten, torch.reshape),
    *("size", "dim", "view", "reshape", "flatten", "permute", "transpose", "t", "expand"),
    *("expand_as", "squeeze", "unsqueeze", "chunk", "split", "detach", "to", "type_as"),
)
"""What only looks at a map in another way: a microsecond at most, whatever the sizes."""


@dataclass(frozen=True)
class Layer:
    """One operation as far as its time goes; equal layers have equal names.

    Attributes:
        name: stable text of kind, configuration and shapes, in which `v0, v1, ...` are its axes.
        axes: the variables on which its shapes depend, in the order of the shapes.
        operation: what it is.
    """

    name: str
    axes: tuple[int, ...]
    operation: Operation = field(compare=False)

    def prepared(self, sizes: Sequence[int], device: torch.device, dtype: torch.dtype) -> Prepared:
        """The layer as it stands in a frozen network whose variables are `sizes`, by axis."""
        values = dict(zip(self.axes, sizes, strict=True))
        target = self.operation.target
        args, kwargs = fx.node.map_aggregate(
            _own(self.operation), lambda leaf: _given(leaf, values, dtype)
        )
        share = 1.0
        if isinstance(target, FixedStrideResizer):
            target = target.fixed(tuple(args[0].shape[2:]))
        elif isinstance(target, AbstractResizer):
            _, channels, *size_in = args[0].shape
            wanted = tuple(_whole(dim, values) for dim in _output(self.operation)[2:])
            target, share = fixed_at(target, channels, tuple(size_in), wanted)
        return Prepared(_called(target), args, kwargs, device, share)


@dataclass(frozen=True)
class Blank:
    """A tensor that is still to be made."""

    shape: tuple[int, ...]
    dtype: torch.dtype


@dataclass(frozen=True)
class Prepared:
    """A layer that can be run.

    Attributes:
        call: the layer.
        args, kwargs: what it is called with, tensors to be made.
        device: where.
        share: what its time is multiplied by, for a size that the layer cannot have exactly.
    """

    call: Callable[..., object]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    device: torch.device
    share: float = 1.0

    @contextmanager
    def ready(self) -> Iterator[Callable[[], object]]:
        """What runs it once in evaluation mode, its maps newly made, as in a network.

        Nothing is drawn from anybody's random numbers.
        """

        def made(leaf: Any) -> Any:
            if not isinstance(leaf, Blank):
                return leaf
            half = 0.5 if leaf.dtype.is_floating_point else 0
            return torch.full(leaf.shape, half, dtype=leaf.dtype, device=self.device)

        call = self.call
        args, kwargs = fx.node.map_aggregate((self.args, self.kwargs), made)
        with evaluating(call):
            yield (lambda: call(*args, **kwargs)) if kwargs else (lambda: call(*args))


def layer_of(operation: Operation, dtype: torch.dtype) -> Layer | None:
    """The layer of an operation; None where it takes no time.

    Args:
        operation: of a network.
        dtype: of the network's weights and maps.
    """
    target = operation.target
    if isinstance(target, Tensor) or operation.output is None or target in VIEWS:
        return None
    order: dict[int, int] = {}
    told = fx.node.map_aggregate(_own(operation), lambda leaf: _told(leaf, order, dtype))
    name = f"{_described(target)} {told}"
    if isinstance(target, AbstractResizer) and not isinstance(target, FixedStrideResizer):
        name += f" -> {[_renamed(dim, order) for dim in operation.output[2:]]}"
    return Layer(name, tuple(order), operation)


@contextmanager
def evaluating(call: object) -> Iterator[None]:
    """The modules of `call` in evaluation mode for a while, without their own methods for it."""
    modules = list(call.modules()) if isinstance(call, nn.Module) else []
    before = [module.training for module in modules]
    try:
        for module in modules:
            module.training = False
        yield
    finally:
        for module, training in zip(modules, before, strict=True):
            module.training = training


def _own(operation: Operation) -> tuple[Any, Any]:
    """What it is called with in a frozen network: resizers follow no leader there."""
    args, kwargs = operation.arguments
    return (args[:1], {}) if isinstance(operation.target, AbstractResizer) else (args, kwargs)


def _given(leaf: Any, values: dict[int, int], dtype: torch.dtype) -> Any:
    """An argument where the variables are `values`."""
    if isinstance(leaf, Entering):
        shape = tuple(_whole(dim, values) for dim in leaf.shape)
        return Blank(shape, dtype if leaf.dtype.is_floating_point else leaf.dtype)
    return _whole(leaf, values) if isinstance(leaf, Polynomial) else leaf


def _told(leaf: Any, order: dict[int, int], dtype: torch.dtype) -> Any:
    """An argument as text; `order` gets the variables in it."""
    if isinstance(leaf, Entering):
        typed = dtype if leaf.dtype.is_floating_point else leaf.dtype
        return f"{typed}[{', '.join(_renamed(dim, order) for dim in leaf.shape)}]"
    return _renamed(leaf, order) if isinstance(leaf, Polynomial) else str(leaf)


def _renamed(dim: Dim, order: dict[int, int]) -> str:
    terms = {
        tuple(order.setdefault(variable, len(order)) for variable in key): factor
        for key, factor in Polynomial.of(dim).terms.items()
    }
    return str(Polynomial(terms))


def _whole(dim: Dim, values: dict[int, int]) -> int:
    terms = Polynomial.of(dim).terms.items()
    return sum(factor * math.prod(values[v] for v in key) for key, factor in terms)


def _output(operation: Operation) -> Shape:
    assert operation.output is not None
    return operation.output


def _called(target: Any) -> Callable[..., object]:
    """What an operation's target is called as."""
    if isinstance(target, str):
        return lambda x, *args, **kwargs: getattr(x, target)(*args, **kwargs)
    called: Callable[..., object] = target
    return called


_STATE = {"training", "smallest", "largest", "offset"}
"""Attributes of layers that do not decide how long they take at given sizes."""


def _described(target: Any) -> str:
    """Kind and configuration, the same in every process; no weights and no strides learned."""
    if isinstance(target, str):
        return f".{target}"
    if not isinstance(target, nn.Module):
        return f"{getattr(target, '__module__', None)}.{getattr(target, '__qualname__', target)}"
    parts = []
    for path, module in target.named_modules():
        settings = {
            name: value
            for name, value in sorted(vars(module).items())
            if name not in _STATE and not name.startswith("_") and _plain(value)
        }
        shapes = [tuple(p.shape) for p in module.parameters(recurse=False)]
        found = kind(module)
        parts.append(f"{path}{found.__module__}.{found.__qualname__}{settings}{shapes}")
    return " ".join(parts)


def _plain(value: object) -> bool:
    if isinstance(value, (tuple, list)):
        return all(map(_plain, value))
    return isinstance(value, (bool, int, float, str, type(None)))
