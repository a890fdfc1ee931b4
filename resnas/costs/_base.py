"""What every cost states, and the rules a layer type by which most of them count."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnas.errors import InvalidSpec, UnsupportedLayer
from resnas.layers._base import AbstractLayer
from resnas.polynomial import Dim, Polynomial, Shape
from resnas.resizers._base import AbstractResizer

Target = nn.Module | Callable[..., Any] | str | torch.Tensor
"""What a node of the graph does: a module, a function, the name of a tensor's method, or a
tensor that is read (a parameter used directly)."""


class Counted(NamedTuple):
    """What the matrix products in an operation compute: for layers that have no rule.

    Attributes:
        macs: multiply-accumulates.
        elements: numbers that they put out.
    """

    macs: Dim
    elements: Dim


@dataclass(frozen=True)
class Entering:
    """A tensor among the arguments of an operation.

    Attributes:
        shape: of one sample, entry 0 is 1.
        dtype: as it was traced.
    """

    shape: Shape
    dtype: torch.dtype


@dataclass(frozen=True)
class Operation:
    """One node of a graph, as a cost gets to see it.

    Attributes:
        place: the node for a person: name and source line.
        target: what it does.
        inputs: shapes of its tensor arguments, in order; entry 0 is the batch, 1.
        output: shape of its result, or None where that is no tensor.
        counted: what was seen in it when it ran; None where it is in `KNOWN`, or nothing could
            be told.
        arguments: what it is called with, positional and by name; tensors are `Entering`, numbers
            that depend on a size are polynomials.
        name: of the node in its graph.
    """

    place: str
    target: Target
    inputs: tuple[Shape, ...]
    output: Shape | None
    counted: Counted | None = None
    arguments: tuple[Any, Any] = ((), {})
    name: str = ""


class Total(Protocol):
    """The cost of a whole network as a function of all sizes that can change."""

    def value(self, values: Sequence[int], /) -> float:
        """The cost where the variables are these; a count is an exact integer."""

    def at(self, sizes: Tensor, /) -> Tensor:
        """The same, 0-dim float64, for whole-numbered `sizes` (n,) float64; differentiable."""


Reach = Sequence[tuple[int, int]]
"""The smallest and the largest value of each variable."""


class AbstractCost(ABC):
    """What one sample costs, as a function of the learnable sizes.

    Attributes:
        unit: of the cost.
        counter: name and version of the rules; stored beside every number.
    """

    unit: ClassVar[str]
    counter: ClassVar[str]

    @abstractmethod
    def total(self, operations: Sequence[Operation], reach: Reach = ()) -> Total:
        """The cost of a whole network.

        Args:
            operations: of the network.
            reach: of the variables that its shapes depend on, for costs that are tables.

        Raises:
            UnsupportedLayer: an operation has no rule; it is never counted as 0.
        """


ENTRY = AbstractCost


def closed_form(name: str, total: Total) -> Polynomial:
    """A cost that is a polynomial in the sizes, as that.

    Raises:
        InvalidSpec: it is another function of them.
    """
    if isinstance(total, Polynomial):
        return total
    raise InvalidSpec(
        f"cost {name}",
        "it is measured, not a polynomial in the sizes, so that no scale of them that meets a "
        "budget can be solved for",
        "Steer it by the strategy 'sweep' or by the controller 'dual', which need no closed form; "
        "or give the budget in multiply-accumulates",
    )


Rule = Callable[[Operation], Dim]
Entry = TypeVar("Entry")


def kind(target: Target) -> Any:
    """What rule tables are keyed by: the class that a module computes as, else the target."""
    if isinstance(target, AbstractLayer) and target.computes_as is not None:
        return target.computes_as
    return type(target) if isinstance(target, (nn.Module, torch.Tensor)) else target


def lookup(rules: Mapping[Any, Entry], target: Target) -> Entry | None:
    """The rule of a target; a subclass that computes as its parent shares the parent's.

    Tables may name what other packages bring, `package.module.name`, without importing it.
    """
    found = kind(target)
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        return rules.get(found, rules.get(_qualified(found)))
    if _qualified(found) in rules:
        return rules[_qualified(found)]
    for parent in found.__mro__:
        if parent in rules and getattr(parent, "forward", None) is found.forward:
            return rules[parent]
    return None


def add_up(
    rules: Mapping[Any, Rule],
    operations: Sequence[Operation],
    counter: str,
    counted: Callable[[Counted], Dim],
) -> Polynomial:
    """The sum over all operations; every resizer follows the rule of `AbstractResizer`.

    Args:
        rules: by what an operation does.
        operations: of a whole network.
        counter: name of the rules.
        counted: the figure of operations that have no rule, from what was seen in them.

    Raises:
        UnsupportedLayer: an operation has no rule, and could not be seen through either.
    """
    count: Dim = 0
    for operation in operations:
        resizes = isinstance(operation.target, AbstractResizer)
        if operation.counted is not None:
            count = counted(operation.counted) + count
            continue
        rule = rules[AbstractResizer] if resizes else rule_for(rules, operation, counter)
        count = rule(operation) + count
    return Polynomial.of(count)


def _qualified(found: Any) -> str:
    return f"{getattr(found, '__module__', '')}.{getattr(found, '__qualname__', '')}"


def rule_for(rules: Mapping[Any, Rule], operation: Operation, counter: str) -> Rule:
    """The rule for an operation.

    Raises:
        UnsupportedLayer: there is none.
    """
    rule = lookup(rules, operation.target)
    if rule is not None:
        return rule
    found = kind(operation.target)
    name = getattr(found, "__qualname__", found)
    raise UnsupportedLayer(
        operation.place,
        f"the counter '{counter}' has no rule for {name}",
        "Add one to its table in resnas/costs, or replace the layer by one that has a rule",
    )


def _nothing(operation: Operation) -> Dim:
    del operation
    return 0


_FREE_MODULES = (
    *(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.LayerNorm, nn.GroupNorm),
    *(nn.InstanceNorm2d, nn.LocalResponseNorm, nn.SyncBatchNorm),
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish),
    *(nn.Sigmoid, nn.Tanh, nn.Hardswish, nn.Hardsigmoid, nn.Hardtanh, nn.Softmax, nn.Softplus),
    *(nn.LogSoftmax, nn.Dropout, nn.Dropout2d, nn.Identity, nn.Flatten),
    *(nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.ZeroPad2d),
    *(nn.PixelShuffle, nn.PixelUnshuffle, nn.ChannelShuffle, nn.ConstantPad2d),
)
_FREE_FUNCTIONS: tuple[Any, ...] = (
    *(operator.add, operator.iadd, operator.sub, operator.mul, operator.imul, operator.truediv),
    *(operator.getitem, operator.floordiv, getattr, torch.add, torch.mul, torch.sub),
    *(torch.sum, torch.amax, torch.clamp, torch.stack, torch.log_softmax, F.log_softmax),
    *(torch.cat, torch.flatten, torch.mean, torch.relu, torch.sigmoid, torch.tanh, torch.chunk),
    *(torch.split, torch.permute, torch.transpose, torch.reshape, torch.squeeze, torch.unsqueeze),
    *(F.relu, F.relu6, F.silu, F.gelu, F.hardswish, F.hardsigmoid, F.leaky_relu, F.sigmoid),
    *(F.softmax, F.dropout, F.batch_norm, F.layer_norm, F.pad, F.max_pool2d, F.avg_pool2d),
    *(F.adaptive_avg_pool2d, F.adaptive_max_pool2d, torch.max_pool2d, torch.softmax, F.elu),
    F.mish,
)
_FREE_METHODS = (
    *("add", "add_", "mul", "mul_", "sub", "relu", "relu_", "sigmoid", "tanh", "mean", "sum"),
    *("size", "view", "reshape", "flatten", "permute", "transpose", "contiguous", "expand"),
    *("amax", "clamp", "clamp_", "log_softmax", "type_as", "to", "t", "detach", "clone"),
    *("squeeze", "unsqueeze", "chunk", "split", "dim", "softmax", "expand_as", "float"),
)

_FREE_ELSEWHERE = (
    "resnas.graph.trace.Randomised",
    "timm.layers.drop.DropPath",
    "timm.layers.norm_act.BatchNormAct2d",
)

FREE: dict[Any, Rule] = dict.fromkeys(
    (
        *(*_FREE_MODULES, *_FREE_FUNCTIONS, *_FREE_METHODS, *_FREE_ELSEWHERE),
        *(torch.Tensor, nn.Parameter, torch.nn.parameter.Buffer),
    ),
    _nothing,
)
"""Layers without a matrix product: normalisation (which folds into the convolution before it),
activation, pooling, addition, gating and everything that only moves numbers."""

WORKING: tuple[Any, ...] = (
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.Linear, F.conv2d, F.linear),
    *(torch.conv2d, torch.matmul, torch.bmm, operator.matmul, "matmul", "__matmul__"),
    *(F.scaled_dot_product_attention, nn.Upsample, "resnas.graph.enlarge.ToSize"),
    "resnas.graph.windows.Convolution",
)
"""Layers that compute: each cost that counts computing has a rule for all of them."""

KNOWN = {**FREE, **dict.fromkeys(WORKING, _nothing)}
"""What need not be seen through."""
