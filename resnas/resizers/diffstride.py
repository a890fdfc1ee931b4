"""DiffStride: a map's spectrum cropped to a learned window with a soft edge.

Riad et al., Learning Strides in Convolutional Neural Networks, ICLR 2022 (arXiv 2202.01653).

With stride S and smoothness R an axis of n pixels keeps the frequencies v < R + n' / 2, where
n' = max(n / S, 2), weighted by clip((R + n'/2 - v) / R, 0, 1) (one more for the width). Only the
weights carry the stride's gradient. The output is about n / S + 2R pixels long, and its values
grow with the reduction of the area, as in the authors' code.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Self, TypeVar

import torch
from torch import Tensor, nn

from resnas.errors import InvalidResizer
from resnas.polynomial import Dim
from resnas.resizers import _separable, _spectrum, _window
from resnas.resizers._base import AbstractResizer, Extent, Site, constant
from resnas.resizers._spectrum import Band, Weights

Real = TypeVar("Real", float, Tensor)


class DiffStride(AbstractResizer):
    """Spectral cropping with learned strides; shrinks or keeps, never enlarges.

    The published behaviour, sizes included, in forward passes that never write to a parameter: the
    authors raise a stride to n / (n - R) in place; here it is a raise whose gradient passes
    straight through. Where n = R the raise would be infinite: n' is then 2, and the stride is left
    alone. Group size bounds (`smallest`, `largest`) do not apply: its sizes follow from its own
    rule.

    Signals and volumes are resized by the same rule. The last axis is the one whose spectrum is
    half kept, all others follow the rule of the height:

    >>> DiffStride((2.0,), smoothness=1.0)(torch.ones(1, 3, 32)).shape
    torch.Size([1, 3, 18])
    >>> DiffStride((2.0, 4.0, 4.0), smoothness=1.0)(torch.ones(1, 3, 16, 32, 32)).shape
    torch.Size([1, 3, 10, 10, 10])

    Args:
        stride: input size / nominal output size, (vertical, horizontal), at least 1; one number
            for signals, three for volumes.
        smoothness: R, the width of the window's edge in frequencies, positive.
        shared: one parameter of shape (1,) for all axes; `stride` then has equal numbers, or only
            one for both axes of a map.
        compat: on maps of odd height, reproduce the authors' window, shifted by one row.
        crop: False weights the spectrum but keeps the size.
        lower: least stride used, 1 if not given; its gradient is zero below.
        upper: greatest stride used; its gradient is zero above.

    Raises:
        InvalidResizer: an argument outside these ranges.
    """

    place = "conv"
    ranks = (1, 2, 3)
    follows_lead = False

    def __init__(
        self,
        stride: tuple[float, ...] = (2.0, 2.0),
        smoothness: float = 4.0,
        shared: bool = False,
        compat: bool = False,
        crop: bool = True,
        lower: float | None = None,
        upper: float | None = None,
    ) -> None:
        _check_arguments(stride, smoothness, shared, lower, upper)
        super().__init__(stride * 2 if shared and len(stride) == 1 else stride)
        if shared:
            self.stride = nn.Parameter(self.stride.detach()[:1].clone())
        self.smoothness = float(smoothness)
        self.compat = compat
        self.crop = crop
        self.limits = (1.0 if lower is None else lower, math.inf if upper is None else upper)

    def soft_size(self, size: Tensor, lead: Tensor | None = None) -> Tensor:
        """Size / S + 2R (1 less on odd heights), at most the map, with the gradient of size / S.

        The gradient is -size / S^2 also where the window's edge, the floor n' >= 2 or the raise
        leaves the size as it is; or else a cost could not move a stride away from there. Beyond
        `upper`, where no stride changes the size, it is zero.
        """
        lead = size if lead is None else lead
        stride = _straight(self.stride.to(size), max(self.limits[0], 1e-3))
        wanted = lead / _clip(stride, -math.inf, self.limits[1]) + constant(self.offset, size)
        odd, last = size.detach() % 2, torch.arange(self.rank, device=size.device) == self.rank - 1
        whole = size.detach() - odd * last
        edge = wanted.detach().clamp(min=2) + 2 * self.smoothness - odd * ~last
        reached = torch.minimum(edge, whole.clamp(min=1))
        return wanted + ((reached if self.crop else whole) - wanted.detach())

    def soft_stride_for(self, size: Extent, wanted: tuple[float, ...]) -> tuple[float, ...]:
        """Size / (wanted - 2R): the kept band is 2R wider than the nominal size."""
        found = []
        for axis, (n, z) in enumerate(zip(size, wanted, strict=True)):
            odd = n % 2 if axis < self.rank - 1 else 0
            found.append(n / max(z - 2 * self.smoothness + odd, 2.0))
        return tuple(max(s, self.limits[0], 1.0) for s in found)

    def hard_size(self, size: Extent, lead: Extent | None = None) -> Extent:
        """Kept rows of each axis but the last; of that, twice the kept columns but one."""
        return tuple(band.m for band in self._bands(size, lead))

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # sizes come from the stride's value
    def forward(self, x: Tensor, lead: Tensor | None = None) -> Tensor:
        """Resize `x` (N, C, H, W) to `hard_size`."""
        size = self.check_map(x)
        dtype = _separable.precision(x)
        bands, weights = self._spectrum(
            size,
            None if lead is None else self.check_map(lead),
            torch.promote_types(dtype, torch.float32),
        )
        learned = _spectrum.at_edges(bands, weights) if self.stride.requires_grad else ()
        return _separable.resize(x.to(dtype), _spectrum.operator(bands, weights, dtype), learned)

    @classmethod
    def from_site(cls, site: Site) -> Self:
        """Start at the nominal stride; the window's edge makes its map larger than the human's."""
        v, h = site.stride
        return cls(stride=(float(v), float(h)))

    @torch.no_grad()
    def fixed(self, size: Extent, lead: Extent | None = None) -> nn.Module:
        """The matrix products with constant matrices."""
        exact = torch.promote_types(self.stride.dtype, torch.float32)
        bands, weights = self._spectrum(size, lead, exact)
        operator = _spectrum.operator(bands, weights, self.stride.dtype)
        return _separable.FixedSpectrum(operator, self._edge())

    def macs(self, channels: int, size_in: tuple[Dim, ...], size_out: tuple[Dim, ...]) -> Dim:
        """Those of the matrix products; building the matrices is shared by a batch."""
        return _spectrum.product_macs(channels, size_in, size_out, self._edge())

    def extra_repr(self) -> str:
        """Strides and smoothness."""
        return f"{super().extra_repr()}, smoothness={self.smoothness:g}"

    @torch.no_grad()
    def clip_stride(self, size: Extent) -> None:
        """Bring the stride to where it moves the size: within its limits, H / S not below 2."""
        low, high = max(self.limits[0], 1.0), self.limits[1]
        for axis in range(self.stride.numel()):
            most = min(size) if self.stride.numel() == 1 else size[axis]
            self.stride[axis].clamp_(low, max(low, min(high, most / 2)))

    def _edge(self) -> int:
        """Most frequencies of an axis but the last that weigh differently for k and -k, or learn.

        The ramp spans R frequencies, and of one more the negative is on it.
        """
        return math.ceil(self.smoothness) + (2 if self.compat else 1) + (not self.crop)

    def _bands(self, size: Extent, lead: Extent | None) -> tuple[Band, ...]:
        """The kept frequencies. Decided here, in Python floats, for sizes and forward."""
        *nominal, last = (n / s for n, s in zip(size, self._strides(size, lead), strict=True))
        edges = [self.smoothness + max(n, 2.0) / 2 for n in nominal]
        bands = [
            _window.rows(n, edge, self.compat, self.crop)
            for n, edge in zip(size, edges, strict=False)
        ]
        edge = self.smoothness + max(last, 2.0) / 2 + 1
        bands.append(_window.columns(size[-1], edge, self.crop))
        return tuple(replace(band, edge=min(self._edge(), len(band.kept))) for band in bands)

    def _strides(self, size: Extent, lead: Extent | None) -> tuple[float, ...]:
        """The stride of this map on each axis, raised and within its limits."""
        own = _own_stride(self.strides(), size, lead, self.offset)
        low, high = self.limits
        return tuple(
            min(max(s, least, low), high) for s, least in zip(own, self._least(size), strict=True)
        )

    def _least(self, size: Extent) -> tuple[float, ...]:
        """The raise on each axis: n / (n - R), below which the window would exceed the map."""
        least = tuple(_least_stride(n, self.smoothness) for n in size)
        return least if len(self.stride) == self.rank else (max(least),) * self.rank

    def _spectrum(
        self, size: Extent, lead: Extent | None, dtype: torch.dtype
    ) -> tuple[tuple[Band, ...], list[Weights]]:
        """What each axis keeps, and its weights, differentiable in the stride."""
        bands = self._bands(size, lead)
        strides = self.stride.to(dtype).expand(self.rank).unbind()
        own = _own_stride(strides, size, lead, self.offset)
        weights: list[Weights] = []
        for band, stride, least in zip(bands, own, self._least(size), strict=True):
            if len(weights) < self.rank - 1:
                window = self._window(stride, least, band, extra=0)
                weights.append(_window.row_weights(band, window / band.m, self.compat))
            else:
                window = self._window(stride, least, band, extra=1) / band.m
                window = window * _window.column_counts(band, window.device, dtype)
                weights.append(Weights(window, window))
        return bands, weights

    def _window(self, stride: Tensor, least: float, band: Band, extra: int) -> Tensor:
        """Weight of each distance 0, 1, ...: 1, falling to 0 over `smoothness`."""
        stride = _clip(_straight(stride, least), *self.limits)
        half = _clip(band.n / stride, 2.0, math.inf) / 2
        distance = torch.arange(len(band.kept), dtype=half.dtype, device=half.device)
        ramp = self.smoothness + half + extra - distance
        return _clip(ramp / self.smoothness, 0.0, 1.0)


def _clip(value: Tensor, low: float, high: float) -> Tensor:
    """Clip with the gradient 1 from `low` to `high` inclusive, 0 outside.

    Whole-numbered strides put the window's edge exactly on a frequency, and the gradient of
    torch.clamp at its bounds differs between releases.
    """
    inside = (value >= low) & (value <= high)
    return torch.where(inside, value, value.detach().clamp(low, high))


def _straight(value: Tensor, least: float) -> Tensor:
    """`value` raised to `least`, with the gradient of `value`."""
    raised = value.detach().clamp(min=least)
    return torch.where(value >= least, value, value - value.detach() + raised)


def _least_stride(n: int, smoothness: float) -> float:
    """The raise n / (n - R); infinite where they are equal, and no bound on maps smaller than R."""
    if n > smoothness:
        return n / (n - smoothness)
    return math.inf if n == smoothness else -math.inf


def _own_stride(
    strides: Sequence[Real], size: Extent, lead: Extent | None, offset: tuple[int, ...]
) -> tuple[Real, ...]:
    """The stride of this map on each axis: its own size / the group's size."""
    lead = size if lead is None else lead
    return tuple(
        s if n == m and not more else n / (m / s + more)
        for s, n, m, more in zip(strides, size, lead, offset, strict=True)
    )


def _check_arguments(
    stride: tuple[float, ...],
    smoothness: float,
    shared: bool,
    lower: float | None,
    upper: float | None,
) -> None:
    low, high = 1.0 if lower is None else lower, math.inf if upper is None else upper
    for name, value, good, wanted in (
        ("stride", stride, len(stride) in DiffStride.ranks, "one number an axis, 1 to 3 of them"),
        ("stride", stride, not shared or len(set(stride)) == 1, "one number for all axes"),
        ("stride", stride, all(1 <= s < math.inf for s in stride), "numbers of at least 1"),
        ("smoothness", smoothness, 0 < smoothness < math.inf, "a positive number"),
        ("lower, upper", (lower, upper), 0 < low <= high, "0 < lower <= upper (lower: 1)"),
    ):
        if not good:
            raise InvalidResizer(f"DiffStride({name}={value!r})", "out of range", f"Pass {wanted}")
