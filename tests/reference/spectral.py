"""Spectral pooling by its definition: rows and columns cut from the Fourier transform."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def pool(x: Array, stride: tuple[float, ...]) -> Array:
    """(N, C, *sizes) to the low frequencies of every axis, by sums over all of them."""
    wanted = output_size(x.shape[2:], stride)
    for axis, (n, m) in enumerate(zip(x.shape[2:], wanted, strict=True)):
        last = axis == len(wanted) - 1
        x = np.moveaxis(
            np.moveaxis(x, axis + 2, -1) @ (half if last else whole)(n, m).T, -1, axis + 2
        )
    return x.real


def gradient(sizes: tuple[int, ...], stride: tuple[float, ...], weight: Array) -> Array:
    """Of sum(pool(x) * weight) in x: by linearity the output of every pixel alone."""
    grad = np.zeros((*weight.shape[:2], *sizes))
    for place in np.ndindex(*sizes):
        pixel = np.zeros((1, 1, *sizes))
        pixel[(0, 0, *place)] = 1.0
        grad[(slice(None), slice(None), *place)] = (pool(pixel, stride) * weight).sum(
            tuple(range(2, weight.ndim))
        )
    return grad


def output_size(sizes: tuple[int, ...], stride: tuple[float, ...]) -> tuple[int, ...]:
    wanted = []
    for axis, (n, s) in enumerate(zip(sizes, stride, strict=True)):
        m = int(n // s)
        if axis < len(sizes) - 1:
            m -= m % 2
        wanted.append(max(m, min(n, 2)))
    return tuple(wanted)


def whole(n: int, m: int) -> NDArray[np.complex128]:
    """A complete spectrum: its first half of the rows from the start, the other from the end."""
    matrix = np.zeros((m, n), dtype=np.complex128)
    rows = [*range((m + 1) // 2), *range(n - m // 2, n)]
    for t, j in np.ndindex(m, n):
        for place, k in enumerate(rows):
            matrix[t, j] += np.exp(2j * np.pi * (place * t / m - k * j / n)) / m
    return matrix


def half(n: int, m: int) -> NDArray[np.complex128]:
    """A half spectrum, whose columns but the first and an even size's last stand for two."""
    matrix = np.zeros((m, n), dtype=np.complex128)
    for t, j in np.ndindex(m, n):
        for k in range(m // 2 + 1):
            count = 1 if k == 0 or 2 * k == m else 2
            matrix[t, j] += count * np.exp(2j * np.pi * k * (t / m - j / n)) / m
    return matrix
