"""Spectral resizing as matrix products.

Cutting a map's spectrum to chosen frequencies, weighting them and going back is linear and works
on each axis alone. For one axis with n pixels in and m out, kept frequency k read at k' of the
shorter spectrum and weight w_k, it is the complex matrix

    A[t, j] = sum_k w_k exp(2 pi i (k' t / m - k j / n)) = P[t, j] + i Q[t, j].

A real inverse transform takes the real part of both axes' product, hence two real products:

    out = Re(A_h x A_w^T) = P_h x P_w^T - Q_h x Q_w^T = [P_h | -Q_h] [x P_w^T ; x Q_w^T].

P and Q are themselves products of small cosine and sine tables with the weights, so they are
differentiable in the weights, and constant matrices once the weights are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable

from resnas.polynomial import Dim


@dataclass(frozen=True)
class Band:
    """The frequencies that one axis keeps.

    Attributes:
        n: pixels in.
        m: pixels out.
        kept: frequencies of the long axis, signed, in the order of `placed`.
        placed: where each is read in the short axis' spectrum.
    """

    n: int
    m: int
    kept: tuple[int, ...]
    placed: tuple[int, ...]


@lru_cache(maxsize=256)
def _tables(band: Band, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Of the way back cos | sin (m, 2K), and of the way there cos ; sin (2K, n).

    Ordinary tensors even when first asked for in inference mode: later gradients need them.
    """
    with torch.inference_mode(False), torch.no_grad():
        out = _angles(range(band.m), band.placed, band.m)
        into = _angles(range(band.n), band.kept, band.n).T
        back = torch.cat([out.cos(), out.sin()], dim=1)
        there = torch.cat([into.cos(), into.sin()], dim=0)
        return back.to(device, dtype), there.to(device, dtype)


def _angles(pixels: range, frequencies: tuple[int, ...], length: int) -> Tensor:
    """2 pi k t / length, (pixels, frequencies); reduced in integers, so exact for long axes."""
    turns = torch.tensor([[t * k % length for k in frequencies] for t in pixels])
    return turns.double() * (2 * math.pi / length)


def axis_matrices(band: Band, weights: Tensor) -> tuple[Tensor, Tensor]:
    """P and Q of one axis, each (m, n), differentiable in `weights` (K,)."""
    back, there = _tables(band, weights.device, weights.dtype)
    real = back * weights.repeat(2)
    imaginary = torch.cat([real[:, weights.numel() :], -real[:, : weights.numel()]], dim=1)
    return real @ there, imaginary @ there


def left_matrix(p: Tensor, q: Tensor) -> Tensor:
    """[P | -Q] for the rows of a map, (m, 2n), columns interleaved as `apply` lays the map out."""
    return torch.stack([p, -q], dim=2).flatten(1)


def right_matrix(p: Tensor, q: Tensor) -> Tensor:
    """[P ; Q] for the columns of a map, (2m, n)."""
    return torch.cat([p, q], dim=0)


def apply(x: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """The two products, (N, C, H, W) to (N, C, H', W'), in the memory format of `x`.

    [P ; Q] makes two rows of each row, which lie one behind the other; [P | -Q] with interleaved
    columns then takes them as the rows of a map of height 2H, without a copy.
    """
    n, c, h, w = x.shape
    h_out, w_out = left.shape[0], right.shape[0] // 2
    if x.is_contiguous() or not x.is_contiguous(memory_format=torch.channels_last):
        rows = (x @ right.T).reshape(n * c, 2 * h, w_out)
        return _each(left, rows).reshape(n, c, h_out, w_out)
    pixels = x.permute(0, 2, 3, 1).reshape(n * h, w, c)
    rows = _each(right, pixels).reshape(n, 2 * h, w_out * c)
    return _each(left, rows).reshape(n, h_out, w_out, c).permute(0, 3, 1, 2)


def _each(matrix: Tensor, maps: Tensor) -> Tensor:
    """`matrix` (m, n) times each of `maps` (B, n, c)."""
    if matrix.requires_grad and torch.is_grad_enabled():
        result: Tensor = _Each.apply(matrix, maps)
        return result
    return torch.bmm(matrix.expand(maps.shape[0], -1, -1), maps)


class _Each(torch.autograd.Function):
    """Batched products with one matrix.

    The library's own backward either copies the maps transposed or keeps one gradient of the
    matrix for every map, gigabytes at 224 pixels; this one adds them up in portions.
    """

    PORTION = 256

    @staticmethod
    def forward(ctx: FunctionCtx, matrix: Tensor, maps: Tensor) -> Tensor:
        ctx.save_for_backward(matrix, maps)
        return torch.bmm(matrix.expand(maps.shape[0], -1, -1), maps)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor, Tensor]:
        matrix, maps = ctx.saved_tensors  # type: ignore[attr-defined]
        grad = grad.to(maps.dtype)
        transposed = matrix.T.to(maps.dtype).expand(maps.shape[0], -1, -1)
        grad_matrix = torch.zeros_like(matrix)
        for start in range(0, maps.shape[0], _Each.PORTION):
            some = slice(start, start + _Each.PORTION)
            grad_matrix += torch.bmm(grad[some], maps[some].mT).sum(0, dtype=matrix.dtype)
        return grad_matrix, torch.bmm(transposed, grad)


def product_macs(channels: int, size_in: tuple[Dim, ...], size_out: tuple[Dim, ...]) -> Dim:
    """Multiply-accumulates of `apply`: C H W 2W' along the rows, then C H' 2H W' along columns."""
    (h, w), (h_out, w_out) = size_in, size_out
    return 2 * channels * h * w_out * (w + h_out)


class FixedSpectrum(nn.Module):
    """Spectral resizing with constant matrices.

    Args:
        left: (H', 2H), from `left_matrix`.
        right: (2W', W), from `right_matrix`.
    """

    left: Tensor
    right: Tensor

    def __init__(self, left: Tensor, right: Tensor) -> None:
        super().__init__()
        self.register_buffer("left", left)
        self.register_buffer("right", right)

    def forward(self, x: Tensor) -> Tensor:
        """Resize `x` (N, C, H, W)."""
        return apply(x, self.left.to(x.dtype), self.right.to(x.dtype))
