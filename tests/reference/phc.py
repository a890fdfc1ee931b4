"""A parameterised hypercomplex convolution by its index formula; gradients by hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.reference.convolution import correlate, correlate_backward

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Convolved:
    out: Array
    grad_x: Array
    grad_A: Array
    grad_F: Array
    grad_bias: Array


def weight_of(A: Array, F: Array) -> Array:
    """W[a·O + p, b·I + q] = Σ_s A[s, a, b] · F[s, p, q], with O = out/n and I = in/n."""
    n, outer, inner, *kernel = F.shape
    weight = np.zeros((n * outer, n * inner, *kernel))
    for s, a, b, p, q in np.ndindex(n, n, n, outer, inner):
        weight[a * outer + p, b * inner + q] += A[s, a, b] * F[s, p, q]
    return weight


def convolve(
    x: Array, A: Array, F: Array, bias: Array, stride: int, padding: int, weight: Array
) -> Convolved:
    """The layer and the gradients of sum(out * weight)."""
    n, outer, inner = F.shape[:3]
    kernel = weight_of(A, F)
    out = correlate(x, kernel, stride, padding) + bias[:, None, None]
    grad_x, grad_kernel = correlate_backward(x, kernel, stride, padding, weight)
    grad_A, grad_F = np.zeros_like(A), np.zeros_like(F)
    for s, a, b, p, q in np.ndindex(n, n, n, outer, inner):
        grad = grad_kernel[a * outer + p, b * inner + q]
        grad_A[s, a, b] += (grad * F[s, p, q]).sum()
        grad_F[s, p, q] += grad * A[s, a, b]
    return Convolved(out, grad_x, grad_A, grad_F, weight.sum((0, 2, 3)))
