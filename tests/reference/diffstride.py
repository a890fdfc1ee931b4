"""DiffStride by its definition: rfft2, mask, crop, irfft2; gradients from linearity."""

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
    """The operator and the gradients of sum(out * weight).

    The output is linear in the map and in each mask, so the gradient in a pixel is the output of
    that pixel alone, and the gradient in a stride the output under that mask's derivative.
    """
    height, width = x.shape[2:]
    nominal = nominal_sizes(height, width, stride, settings)
    rows = [
        ramp(d, *nominal[0], 0, settings.smoothness) for d in row_distances(height, settings.compat)
    ]
    columns = [ramp(n, *nominal[1], 1, settings.smoothness) for n in range(width // 2 + 1)]
    mask_h, slope_h = np.array(rows).T
    mask_w, slope_w = np.array(columns).T
    keep_h = mask_h > 0 if settings.crop else mask_h >= 0
    keep_w = mask_w > 0 if settings.crop else mask_w >= 0

    def through(y: Array, h: Array, w: Array) -> Array:
        spectrum = np.fft.rfft2(y) * h[:, None] * w
        return np.fft.irfft2(spectrum[..., keep_h, :][..., keep_w], s=output_size(keep_h, keep_w))

    grad_x = np.zeros_like(x)
    for r, c in np.ndindex(height, width):
        pixel = np.zeros((height, width))
        pixel[r, c] = 1.0
        grad_x[:, :, r, c] = (through(pixel, mask_h, mask_w) * weight).sum((2, 3))
    grad = np.array(
        [
            (through(x, slope_h, mask_w) * weight).sum(),
            (through(x, mask_h, slope_w) * weight).sum(),
        ]
    )
    grad_stride = grad.sum(keepdims=True) if settings.shared else grad
    return Resized(through(x, mask_h, mask_w), grad_x, grad_stride)


def output_size(keep_h: NDArray[np.bool_], keep_w: NDArray[np.bool_]) -> tuple[int, int]:
    return int(keep_h.sum()), max(2 * (int(keep_w.sum()) - 1), 1)


def nominal_sizes(
    height: int, width: int, stride: tuple[float, ...], settings: Settings
) -> list[tuple[float, float]]:
    """(max(n / S, 2), its derivative in S) of both axes; a raise keeps the derivative."""
    bounds = [least_stride(n, settings.smoothness) for n in (height, width)]
    if settings.shared:
        bounds = [max(bounds)] * 2
    result = []
    for n, s, bound in zip((height, width), (stride[0], stride[-1]), bounds, strict=True):
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
