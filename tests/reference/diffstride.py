"""DiffStride by its definition: Fourier transform, masks, crop, and back; any number of axes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Settings:
    smoothness: float = 4.0
    shared: bool = False
    compat: bool = False
    crop: bool = True
    lower: float = 1.0
    upper: float = math.inf


@dataclass(frozen=True)
class Resized:
    out: Array
    grad_x: Array
    grad_stride: Array


def resize(x: Array, stride: tuple[float, ...], settings: Settings, weight: Array) -> Resized:
    """The operator on (N, C, *sizes) and the gradients of sum(out * weight).

    The output is linear in the map and in each mask, so the gradient in a pixel is the output of
    that pixel alone, and the gradient in a stride the output under that mask's derivative.
    """
    sizes = x.shape[2:]
    axes = tuple(range(2, x.ndim))
    masks, slopes, keeps = [], [], []
    for axis, (n, nominal) in enumerate(
        zip(sizes, nominal_sizes(sizes, stride, settings), strict=True)
    ):
        last = axis == len(sizes) - 1
        distances = list(range(n // 2 + 1)) if last else row_distances(n, settings.compat)
        mask, slope = np.array(
            [ramp(d, *nominal, int(last), settings.smoothness) for d in distances]
        ).T
        masks.append(mask)
        slopes.append(slope)
        keeps.append(mask > 0 if settings.crop else mask >= 0)

    def through(y: Array, windows: list[Array]) -> Array:
        spectrum = (np.fft.rfftn(y, axes=axes) * outer(windows))[
            (slice(None), slice(None), *np.ix_(*keeps))
        ]
        return np.fft.irfftn(spectrum, s=output_size(keeps), axes=axes)

    grad_x = np.zeros_like(x)
    for place in np.ndindex(*sizes):
        pixel = np.zeros((1, 1, *sizes))
        pixel[(0, 0, *place)] = 1.0
        grad_x[(slice(None), slice(None), *place)] = (through(pixel, masks) * weight).sum(axes)
    grad = np.array(
        [
            (through(x, [*masks[:axis], slopes[axis], *masks[axis + 1 :]]) * weight).sum()
            for axis in range(len(sizes))
        ]
    )
    grad_stride = grad.sum(keepdims=True) if settings.shared else grad
    return Resized(through(x, masks), grad_x, grad_stride)


def outer(windows: list[Array]) -> Array:
    """The product of one window an axis, over all of them."""
    product = np.ones(())
    for window in windows:
        product = product[..., None] * window
    return product


def output_size(keeps: list[NDArray[np.bool_]]) -> tuple[int, ...]:
    *rows, columns = (int(keep.sum()) for keep in keeps)
    return (*rows, max(2 * (columns - 1), 1))


def nominal_sizes(
    sizes: tuple[int, ...], stride: tuple[float, ...], settings: Settings
) -> list[tuple[float, float]]:
    """(max(n / S, 2), its derivative in S) of every axis; a raise keeps the derivative."""
    bounds = [least_stride(n, settings.smoothness) for n in sizes]
    if settings.shared:
        bounds = [max(bounds)] * len(sizes)
        stride = (stride[0],) * len(sizes)
    result = []
    for n, s, bound in zip(sizes, stride, bounds, strict=True):
        s = max(s, bound)
        inside = settings.lower <= s <= settings.upper
        s = min(max(s, settings.lower), settings.upper)
        slope = -n / s**2 if inside and n / s >= 2 else 0.0
        result.append((max(n / s, 2.0), slope))
    return result


def least_stride(n: int, smoothness: float) -> float:
    if n > smoothness:
        return n / (n - smoothness)
    return math.inf if n == smoothness else 0.0


def ramp(
    distance: int, nominal: float, slope: float, extra: int, smoothness: float
) -> tuple[float, float]:
    """The mask at one distance and its derivative in the stride."""
    value = (smoothness + nominal / 2 + extra - distance) / smoothness
    inside = 0 <= value <= 1
    return min(max(value, 0.0), 1.0), slope / 2 / smoothness if inside else 0.0


def row_distances(height: int, compat: bool) -> list[int]:
    """Distance of each row, in the order of a discrete Fourier transform."""
    half = height // 2
    if height % 2 == 0:
        return [*range(half), *reversed(range(half))]
    centred = [abs(k) for k in range(-half, half + 1)]
    return list(np.fft.fftshift(centred) if compat else np.fft.ifftshift(centred))
