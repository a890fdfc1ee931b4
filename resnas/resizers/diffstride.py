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
from typing import Self, TypeVar

import torch
from torch import Tensor, nn

from resnas.errors import InvalidResizer
from resnas.polynomial import Dim
from resnas.resizers import _spectrum
from resnas.resizers._base import AbstractResizer, Extent, Site
from resnas.resizers._spectrum import Band

Real = TypeVar("Real", float, Tensor)


class DiffStride(AbstractResizer):
    """Spectral cropping with learned strides; shrinks or keeps, never enlarges.

    The published behaviour, sizes included, in forward passes that never write to a parameter: the
    authors raise a stride to n / (n - R) in place; here it is a raise whose gradient passes
    straight through. Group size bounds (`smallest`, `largest`) do not apply: its sizes follow
    from its own rule.

    Args:
        stride: input size / nominal output size, (vertical, horizontal), at least 1. With
            `shared` one number or two equal ones.
        smoothness: R, the width of the window's edge in frequencies, positive.
        shared: one parameter of shape (1,) for both axes.
        compat: on maps of odd height, reproduce the authors' window, shifted by one row.
        crop: False weights the spectrum but keeps the size.
        lower: least stride used, 1 if not given; its gradient is zero below.
        upper: greatest stride used; its gradient is zero above.

    Raises:
        InvalidResizer: an argument outside these ranges.
    """

    place = "conv"
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
        super().__init__((stride[0], stride[-1]))
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
        wanted = lead / _clip(stride, -math.inf, self.limits[1]) + size.new_tensor(self.offset)
        odd = size.detach() % 2
        edge = wanted.detach().clamp(min=2) + 2 * self.smoothness
        whole = torch.stack([size.detach()[0], size.detach()[1] - odd[1]])
        reached = torch.minimum(edge - odd * odd.new_tensor([1, 0]), whole.clamp(min=1))
        return wanted + ((reached if self.crop else whole) - wanted.detach())

    def hard_size(self, size: Extent, lead: Extent | None = None) -> Extent:
        """Kept rows, and twice the kept columns but one."""
        rows, columns = self._bands(size, lead)
        return rows.m, columns.m

    def forward(self, x: Tensor, lead: Tensor | None = None) -> Tensor:
        """Resize `x` (N, C, H, W) to `hard_size`."""
        size = self.check_map(x)
        left, right = self._matrices(
            size,
            None if lead is None else self.check_map(lead),
            torch.promote_types(x.dtype, torch.float32),
        )
        return _spectrum.apply(x, left.to(x.dtype), right.to(x.dtype))

    @classmethod
    def from_site(cls, site: Site) -> Self:
        """Start at the nominal stride; the window's edge makes its map larger than the human's."""
        v, h = site.stride
        return cls(stride=(float(v), float(h)))

    @torch.no_grad()
    def fixed(self, size: Extent, lead: Extent | None = None) -> nn.Module:
        """The two matrix products with constant matrices."""
        return _spectrum.FixedSpectrum(*self._matrices(size, lead, self.stride.dtype))

    def macs(self, channels: int, size_in: tuple[Dim, ...], size_out: tuple[Dim, ...]) -> Dim:
        """Those of the two matrix products; building the matrices is shared by a batch."""
        return _spectrum.product_macs(channels, size_in, size_out)

    def extra_repr(self) -> str:
        """Strides and smoothness."""
        return f"{super().extra_repr()}, smoothness={self.smoothness:g}"

    def _bands(self, size: Extent, lead: Extent | None) -> tuple[Band, Band]:
        """The kept rows and columns. Decided here, in Python floats, for sizes and forward."""
        nominal_h, nominal_w = (n / s for n, s in zip(size, self._strides(size, lead), strict=True))
        edge_h = self.smoothness + max(nominal_h, 2.0) / 2
        edge_w = self.smoothness + max(nominal_w, 2.0) / 2 + 1
        if not self.crop:
            edge_h = edge_w = math.inf
        return _rows(size[0], edge_h, self.compat), _columns(size[1], edge_w)

    @torch.no_grad()
    def clip_stride(self, size: Extent) -> None:
        """Bring the stride to where it moves the size: within its limits, H / S not below 2."""
        low, high = max(self.limits[0], 1.0), self.limits[1]
        for axis in range(self.stride.numel()):
            most = min(size) if self.stride.numel() == 1 else size[axis]
            self.stride[axis].clamp_(low, max(low, min(high, most / 2)))

    def _strides(self, size: Extent, lead: Extent | None) -> tuple[float, float]:
        """The stride of this map on each axis, raised and within its limits."""
        own = _own_stride(self.strides(), size, lead, self.offset)
        low, high = self.limits
        v, h = (
            min(max(s, least, low), high) for s, least in zip(own, self._least(size), strict=True)
        )
        return v, h

    def _least(self, size: Extent) -> tuple[float, float]:
        """The raise on each axis: n / (n - R), below which the window would exceed the map."""
        v, h = (_least_stride(n, self.smoothness) for n in size)
        return (v, h) if len(self.stride) == 2 else (max(v, h), max(v, h))

    def _matrices(
        self, size: Extent, lead: Extent | None, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        """Left and right matrix, differentiable in the stride."""
        v, h = _own_stride(self.stride.to(dtype).expand(2).unbind(), size, lead, self.offset)
        least_v, least_h = self._least(size)
        rows, columns = self._bands(size, lead)
        weight_h = self._window(v, least_v, size[0], _row_distance(rows, self.compat), extra=0)
        weight_w = self._window(h, least_h, size[1], columns.kept, extra=1)
        weight_w = weight_w * weight_w.new_tensor(_column_counts(columns))
        return (
            _spectrum.left_matrix(*_spectrum.axis_matrices(rows, weight_h / rows.m)),
            _spectrum.right_matrix(*_spectrum.axis_matrices(columns, weight_w / columns.m)),
        )

    def _window(
        self, stride: Tensor, least: float, n: int, distance: tuple[int, ...], extra: int
    ) -> Tensor:
        """Weight of the frequencies at each distance: 1, falling to 0 over `smoothness`."""
        stride = _clip(_straight(stride, least), *self.limits)
        half = _clip(n / stride, 2.0, math.inf) / 2
        ramp = self.smoothness + half + extra - half.new_tensor(distance)
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
) -> tuple[Real, Real]:
    """The stride of this map, (vertical, horizontal): its own size / the group's size."""
    lead = size if lead is None else lead
    v, h = (
        s if n == m and not more else n / (m / s + more)
        for s, n, m, more in zip(strides, size, lead, offset, strict=True)
    )
    return v, h


def _rows(n: int, edge: float, compat: bool) -> Band:
    """Rows at a distance below `edge`, in the order of a discrete Fourier transform."""
    most = (n + 1) // 2
    k = min(math.ceil(min(edge, n)), most)
    if n % 2 == 0:
        ahead, behind = k, k
    else:
        ahead, behind = (k - 1, k) if compat else (k, k - 1)
    kept = (*range(ahead), *range(-behind, 0))
    return Band(n, len(kept), kept, tuple(range(len(kept))))


def _row_distance(rows: Band, compat: bool) -> tuple[int, ...]:
    """Distance of each kept row from the centre of the authors' centred order.

    On even heights row -k is as near as row k - 1. On odd heights rows k and -k are equally far;
    with `compat` the whole window is shifted by one row.
    """
    if rows.n % 2 and not compat:
        return tuple(abs(k) for k in rows.kept)
    shift = rows.n % 2
    return tuple(k + shift if k >= 0 else -k - 1 for k in rows.kept)


def _columns(n: int, edge: float) -> Band:
    """Columns below `edge` of the half spectrum; the width that its inverse takes them for.

    The last kept column is read as the Nyquist frequency of an even width. A single column, all
    that a map one pixel wide has, is a width of 1.
    """
    count = min(math.ceil(min(edge, n)), n // 2 + 1)
    return Band(n, max(2 * (count - 1), 1), tuple(range(count)), tuple(range(count)))


def _column_counts(columns: Band) -> list[float]:
    """How often each column of the half spectrum stands in the whole one."""
    last = len(columns.kept) - 1
    return [1.0 if k in (0, last) else 2.0 for k in columns.kept]


def _check_arguments(
    stride: tuple[float, ...],
    smoothness: float,
    shared: bool,
    lower: float | None,
    upper: float | None,
) -> None:
    low, high = 1.0 if lower is None else lower, math.inf if upper is None else upper
    for name, value, good, wanted in (
        ("stride", stride, len(stride) in ((1, 2) if shared else (2,)), "two numbers"),
        ("stride", stride, not shared or len(set(stride)) == 1, "one number for both axes"),
        ("stride", stride, all(1 <= s < math.inf for s in stride), "numbers of at least 1"),
        ("smoothness", smoothness, 0 < smoothness < math.inf, "a positive number"),
        ("lower, upper", (lower, upper), 0 < low <= high, "0 < lower <= upper (lower: 1)"),
    ):
        if not good:
            raise InvalidResizer(f"DiffStride({name}={value!r})", "out of range", f"Pass {wanted}")
