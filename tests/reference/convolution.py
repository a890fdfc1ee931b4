"""Convolution and pooling by loops over output positions, and their gradients."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Window = tuple[int, int, slice, slice]


def padded(x: Array, padding: int, value: float = 0.0) -> Array:
    sides = ((0, 0), (0, 0), (padding, padding), (padding, padding))
    return np.pad(x, sides, constant_values=value)


def windows(x: Array, size: int, stride: int) -> Iterator[Window]:
    """Output position, and the rows and columns of the padded map under its window."""
    height, width = ((n - size) // stride + 1 for n in x.shape[2:])
    for i, j in np.ndindex(height, width):
        top, left = i * stride, j * stride
        yield i, j, slice(top, top + size), slice(left, left + size)


def sizes(x: Array, size: int, stride: int) -> tuple[int, int]:
    height, width = ((n - size) // stride + 1 for n in x.shape[2:])
    return height, width


def correlate(x: Array, kernel: Array, stride: int, padding: int) -> Array:
    """out[n, o, i, j] = Σ_c,k,l x[n, c, i·stride + k - padding, ...] · kernel[o, c, k, l]."""
    size = kernel.shape[2]
    x = padded(x, padding)
    out = np.zeros((len(x), len(kernel), *sizes(x, size, stride)))
    for i, j, rows, columns in windows(x, size, stride):
        for n, o in np.ndindex(len(x), len(kernel)):
            out[n, o, i, j] = (x[n, :, rows, columns] * kernel[o]).sum()
    return out


def correlate_backward(
    x: Array, kernel: Array, stride: int, padding: int, grad: Array
) -> tuple[Array, Array]:
    """Gradients of sum(correlate(x, kernel) * grad) in `x` and in `kernel`."""
    size = kernel.shape[2]
    x = padded(x, padding)
    grad_x, grad_kernel = np.zeros_like(x), np.zeros_like(kernel)
    for i, j, rows, columns in windows(x, size, stride):
        for n, o in np.ndindex(len(x), len(kernel)):
            grad_x[n, :, rows, columns] += grad[n, o, i, j] * kernel[o]
            grad_kernel[o] += grad[n, o, i, j] * x[n, :, rows, columns]
    inner = slice(padding, -padding or None)
    return grad_x[:, :, inner, inner], grad_kernel


def max_pool(x: Array, size: int, stride: int, padding: int) -> Array:
    x = padded(x, padding, -np.inf)
    out = np.zeros((*x.shape[:2], *sizes(x, size, stride)))
    for i, j, rows, columns in windows(x, size, stride):
        out[:, :, i, j] = x[:, :, rows, columns].max((2, 3))
    return out


def max_pool_backward(x: Array, size: int, stride: int, padding: int, grad: Array) -> Array:
    x = padded(x, padding, -np.inf)
    grad_x = np.zeros_like(x)
    for i, j, rows, columns in windows(x, size, stride):
        for n, c in np.ndindex(x.shape[:2]):
            window = x[n, c, rows, columns]
            first = np.unravel_index(window.argmax(), window.shape)
            grad_x[n, c, rows, columns][first] += grad[n, c, i, j]
    inner = slice(padding, -padding or None)
    return grad_x[:, :, inner, inner]
