"""Multiply-accumulates of one sample."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any, ClassVar, final

import torch
import torch.nn.functional as F
from torch import nn

from resnas.costs._base import FREE, AbstractCost, Operation, Reach, Rule, add_up
from resnas.polynomial import Dim, Polynomial, Shape, product
from resnas.resizers._base import AbstractResizer


def _convolution(operation: Operation) -> Dim:
    conv: Any = operation.target  # or a layer that computes as one
    each = conv.in_channels // conv.groups * math.prod(conv.kernel_size)
    return product((*_result(operation), each))


def _transposed_convolution(operation: Operation) -> Dim:
    conv = operation.target
    assert isinstance(conv, nn.modules.conv._ConvNd)
    each = conv.out_channels // conv.groups * math.prod(conv.kernel_size)
    return product((*operation.inputs[0], each))


def _functional_convolution(operation: Operation) -> Dim:
    _, weight, *_ = operation.inputs
    return product((*_result(operation), *weight[1:]))


def _linear(operation: Operation) -> Dim:
    return product((*_result(operation), operation.inputs[0][-1]))


def _matrix_product(operation: Operation) -> Dim:
    return product((*_result(operation), operation.inputs[0][-1]))


def _attention(operation: Operation) -> Dim:
    query, key, value = operation.inputs[:3]
    scores = product((*query[:-1], key[-2]))  # one row of scores a query
    return scores * query[-1] + scores * value[-1]


_PER_PIXEL = {
    **dict.fromkeys(("nearest", "nearest-exact", "area"), 0),
    "linear": 2,
    "bilinear": 4,
    "trilinear": 8,
    "bicubic": 16,
}


def _interpolation(operation: Operation) -> Dim:
    """Neighbours that are weighed for each pixel; nothing where no size can make it work.

    One that fits a map to another counts in full, though the two may happen to be equal.
    """
    upsample: Any = operation.target
    if operation.inputs[0] == operation.output:
        return 0
    return product((*_result(operation), _PER_PIXEL[upsample.mode]))


def _result(operation: Operation) -> Shape:
    assert operation.output is not None
    return operation.output


def _resizer(operation: Operation) -> Dim:
    resizer = operation.target
    assert isinstance(resizer, AbstractResizer)
    _, channels, *size = operation.inputs[0]
    assert isinstance(channels, int)
    height, width = size
    out_height, out_width = _result(operation)[2:]
    return resizer.macs(channels, (height, width), (out_height, out_width))


_RULES: dict[object, Rule] = {
    **FREE,
    nn.Conv1d: _convolution,
    nn.Conv2d: _convolution,
    nn.Conv3d: _convolution,
    nn.ConvTranspose2d: _transposed_convolution,
    nn.Upsample: _interpolation,
    "resnas.graph.enlarge.ToSize": _interpolation,
    nn.Linear: _linear,
    **dict.fromkeys((F.conv2d, torch.conv2d), _functional_convolution),
    "resnas.graph.windows.Convolution": _functional_convolution,
    F.linear: _linear,
    torch.matmul: _matrix_product,
    torch.bmm: _matrix_product,
    operator.matmul: _matrix_product,
    **dict.fromkeys(("matmul", "__matmul__"), _matrix_product),
    F.scaled_dot_product_attention: _attention,
    AbstractResizer: _resizer,
}


@final
class Macs(AbstractCost):
    """Multiply-accumulates: convolutions, linear layers, matrix products and resizers.

    One multiply-accumulate counts 1; batch norm, activations, pooling, bias and additions count
    nothing; interpolation counts 4 per bilinear and 16 per bicubic pixel. Convolution and linear
    rows equal fvcore's `by_operator()` of the frozen network. A resizer's own row is what it states
    itself, e.g. 4 per interpolated pixel (DynOPool): public counters say 0 for an FFT and would
    give a spectral operator free compute.
    """

    unit: ClassVar = "multiply-accumulates"
    counter: ClassVar = "resnas.macs/1"

    def total(self, operations: Sequence[Operation], reach: Reach = ()) -> Polynomial:
        """Sum over all operations (eq. 4.7 of the thesis, over the real graph)."""
        del reach
        return add_up(_RULES, operations, self.counter, operator.attrgetter("macs"))
