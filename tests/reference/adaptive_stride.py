"""CAS and PAS by their definition: a product of two branches; gradients by hand.

A branch is a list of steps; every step knows its output and how a gradient goes back through it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tests.reference.convolution import (
    correlate,
    correlate_backward,
    max_pool,
    max_pool_backward,
)

Array = NDArray[np.float64]


class Step(Protocol):
    def forward(self, x: Array) -> Array: ...
    def backward(self, x: Array, grad: Array) -> Array: ...


@dataclass
class Convolution:
    """Keeps the gradients of its weights."""

    kernel: Array
    bias: Array
    stride: int
    padding: int
    grad_kernel: Array = field(init=False)
    grad_bias: Array = field(init=False)

    def forward(self, x: Array) -> Array:
        return correlate(x, self.kernel, self.stride, self.padding) + self.bias[:, None, None]

    def backward(self, x: Array, grad: Array) -> Array:
        geometry = (self.stride, self.padding)
        grad_x, self.grad_kernel = correlate_backward(x, self.kernel, *geometry, grad)
        self.grad_bias = grad.sum((0, 2, 3))
        return grad_x


class Relu:
    def forward(self, x: Array) -> Array:
        return np.where(x > 0, x, 0.0)

    def backward(self, x: Array, grad: Array) -> Array:
        return np.where(x > 0, grad, 0.0)


@dataclass(frozen=True)
class MaxPool:
    size: int
    stride: int
    padding: int

    def forward(self, x: Array) -> Array:
        return max_pool(x, self.size, self.stride, self.padding)

    def backward(self, x: Array, grad: Array) -> Array:
        return max_pool_backward(x, self.size, self.stride, self.padding, grad)


@dataclass(frozen=True)
class Thinned:
    mask: Array
    out: Array
    grad_x: Array


def thin_out(
    x: Array, base: Step, gate: Sequence[Step], from_result: bool, weight: Array
) -> Thinned:
    """mask · base(x) and the gradient of sum(out * weight) in x; steps keep those of weights."""
    result = base.forward(x)
    inputs = [result if from_result else x]
    for step in gate:
        inputs.append(step.forward(inputs[-1]))
    mask = inputs.pop()
    grad = (weight * result).sum(1, keepdims=True) if mask.shape[1] == 1 else weight * result
    for step, entered in zip(reversed(gate), reversed(inputs), strict=True):
        grad = step.backward(entered, grad)
    grad_result = weight * mask
    if from_result:
        return Thinned(mask, mask * result, base.backward(x, grad_result + grad))
    return Thinned(mask, mask * result, base.backward(x, grad_result) + grad)
