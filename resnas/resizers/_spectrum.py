"""Spectral resizing as matrix products.

Cutting a map's spectrum to chosen frequencies, weighting them and going back is linear and works
on each axis alone: it is one matrix an axis, from n pixels to m. Frequencies k and -k, read at p
and -p of the shorter spectrum, together make of it

    A[t, j] = P + i Q = sum_k (even_k cos(theta) + i odd_k sin(theta)),
    theta = 2 pi (p t / m - k j / n),

where even_k is the sum and odd_k the difference of the weights of k and -k. A real inverse
transform takes the real part of the product over all axes. With x_h for "along the height":

    out = Re(A_h A_w x) = P_h P_w x - Q_h Q_w x        and in general, axis after axis,
    Re(A_1 A_2 ... x) = Re(A_2 ... (P_1 x)) + B_1 Re(-i A_2 ... (V_1 x)),    -Q_1 = B_1 V_1.

k and -k weigh the same but for the few frequencies at the window's edge, so Q_1 is of low rank: V_1
holds the waves at the edge and B_1 brings them back, weighted. Turning by -i falls to the last
axis, where it makes (Q, -P) of (P, Q).

The weights at the edge are all that a learned window changes. Their gradients need the map and the
gradient projected onto the edge's waves, and no gradient of a whole matrix.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from resnas.polynomial import Dim, product


@dataclass(frozen=True)
class Band:
    """The frequencies that one axis keeps, one for k and -k together.

    Attributes:
        n: pixels in.
        m: pixels out.
        kept: frequencies k of the long axis, outermost last.
        placed: p, where each is read in the short axis' spectrum.
        edge: how many of the last ones weigh differently for k and -k, or have learned weights.
    """

    n: int
    m: int
    kept: tuple[int, ...]
    placed: tuple[int, ...]
    edge: int


class Weights(NamedTuple):
    """What each kept frequency weighs, (K,); of the last axis only `even` counts."""

    even: Tensor
    odd: Tensor


class Waves(NamedTuple):
    """Some frequencies of a band as matrices, whatever they weigh.

    Attributes:
        into: the way there, cosines above sines, (2K, n).
        outs: the way back, cosines beside sines, (m, 2K), turned by 0, 1, 2 and 3 times -i.
    """

    into: Tensor
    outs: tuple[Tensor, ...]


class Leading(NamedTuple):
    """An axis before the last.

    Attributes:
        matrix: P, (m, n).
        edge: the waves at the window's edge; V is `edge.into`.
        odd: their weights, (2E,); B is `edge.outs[3] * odd`.
    """

    matrix: Tensor
    edge: Waves
    odd: Tensor


class Last(NamedTuple):
    """The last axis.

    Attributes:
        matrices: what it does turned by 0, 1, ... times -i: P, Q, -P, each (m, n).
        edge: the waves at the window's edge.
    """

    matrices: tuple[Tensor, ...]
    edge: Waves


class Operator(NamedTuple):
    """All axes, first to last."""

    leading: tuple[Leading, ...]
    last: Last


@torch.no_grad()
def operator(bands: Sequence[Band], weights: Sequence[Weights], dtype: torch.dtype) -> Operator:
    """The matrices for maps of `dtype`; made in the weights' own, on their device."""
    *before, (band, weight) = zip(bands, weights, strict=True)
    leading = tuple(
        Leading(
            matrix=_matrix(b, w.even, 0).to(dtype),
            edge=_waves(b, b.edge, w.even.device, dtype),
            odd=w.odd[-b.edge :].repeat(2).to(dtype),
        )
        for b, w in before
    )
    turned = tuple(_matrix(band, weight.even, turn).to(dtype) for turn in range(len(bands)))
    return Operator(leading, Last(turned, _waves(band, band.edge, weight.even.device, dtype)))


def _matrix(band: Band, weights: Tensor, turn: int) -> Tensor:
    """Way there, weights, way back, (m, n): P, or another part of A turned."""
    waves = _waves(band, len(band.kept), weights.device, weights.dtype)
    with torch.autocast(weights.device.type, enabled=False):
        return torch.mm(waves.outs[turn] * weights.repeat(2), waves.into)


def _waves(band: Band, count: int, device: torch.device, dtype: torch.dtype) -> Waves:
    """The last `count` frequencies of a band; kept by size and device where they are small.

    A long axis has a table of many megabytes for every size that a stride gives it.
    """
    small = (band.n + band.m) * count <= 2**16
    return (_kept_waves if small else _make_waves)(band, count, device, dtype)


def _make_waves(band: Band, count: int, device: torch.device, dtype: torch.dtype) -> Waves:
    """The tables themselves.

    Ordinary tensors even when first asked for in inference mode: later gradients need them.
    """
    with torch.inference_mode(False), torch.no_grad():
        into = _angles(band.n, band.kept[-count:]).T
        out = _angles(band.m, band.placed[-count:])
        cos, sin = out.cos(), out.sin()
        turned = ((cos, sin), (sin, -cos), (-cos, -sin), (-sin, cos))
        return Waves(
            torch.cat([into.cos(), into.sin()]).to(device, dtype),
            tuple(torch.cat(pair, dim=1).to(device, dtype) for pair in turned),
        )


_kept_waves = lru_cache(maxsize=256)(_make_waves)


def _angles(length: int, frequencies: tuple[int, ...]) -> Tensor:
    """2 pi k t / length, (pixels, frequencies); reduced in integers, so exact for long axes."""
    turns = torch.outer(torch.arange(length), torch.tensor(frequencies)).remainder_(length)
    return turns.double() * (2 * math.pi / length)


def at_edges(bands: Sequence[Band], weights: Sequence[Weights]) -> tuple[Tensor, ...]:
    """The weights that a gradient shall reach: of each axis even and odd, of the last one even."""
    edges = [w[-band.edge :] for band, pair in zip(bands, weights, strict=True) for w in pair]
    return tuple(edges[:-1])


def product_macs(
    channels: int, size_in: tuple[Dim, ...], size_out: tuple[Dim, ...], edge: int
) -> Dim:
    """Multiply-accumulates of the products of a `FixedSpectrum`, for one sample.

    In two dimensions C ((H' + 2E) W (H + W') + 2E H' W').
    """
    (n, *rest), (m, *rest_out) = size_in, size_out
    if not rest:
        return channels * n * m
    into = channels * (m + 2 * edge) * n * product(rest)
    onwards = product_macs(channels, tuple(rest), tuple(rest_out), edge) * (m + 2 * edge)
    back = channels * 2 * edge * m * product(rest_out)
    return into + onwards + back
