"""DynOPool: max pooling over four bilinear samples of every cell of a learned grid.

Jung et al., Pooling Revisited: Your Receptive Field is Suboptimal, CVPR 2022 (arXiv 2205.15254).

The output has H' = round(H / stride) rows. Each output cell is sampled at four points, a quarter of
a cell away from its centre on either side, and takes the largest of the four. These points are the
pixel centres of a regular 2H' x 2W' grid (`align_corners=False`), so the forward pass is bilinear
interpolation to that grid and 2 x 2 max pooling; at stride 2 on even maps it is max pooling itself.

The stride's gradient: the value at the point that survived the maximum changes with the point's
position, and the position with H' (and W'), which straight-through estimation takes as real.

Nothing of this asks for two axes: a cell of a signal has two points, one of a volume eight.
"""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn

from resnas.errors import InvalidResizer
from resnas.polynomial import Dim, product
from resnas.resizers._base import AbstractResizer, Extent, Site, constant, round_half_even
from resnas.resizers._cells import Gradient, largest_samples, learned_cells


class DynOPool(AbstractResizer):
    """Max of the linear samples of a cell, four of a map's, on a grid of learned size.

    As many strides as there are axes: a signal of 80 samples becomes one of 80 / 1.6,

    >>> import torch
    >>> DynOPool((1.6,))(torch.randn(2, 3, 80)).shape
    torch.Size([2, 3, 50])

    and a video keeps its 8 frames and half of its rows and columns.

    >>> DynOPool((1.0, 2.0, 2.0))(torch.randn(2, 3, 8, 20, 24)).shape
    torch.Size([2, 3, 8, 10, 12])

    Args:
        stride: input size / output size, (vertical, horizontal); below 1 enlarges.
        gradient: what moves with the stride in the backward pass. "delta": the points' distance
            from their cell's centre (what the paper argues with, eq. 4.5). "full": the centres as
            well, a far larger and noisier gradient.

    Raises:
        InvalidResizer: a stride that is not positive and finite, or an unknown `gradient`.
    """

    place = "after"
    ranks = (1, 2, 3)

    def __init__(
        self, stride: tuple[float, ...] = (2.0, 2.0), gradient: Gradient = "delta"
    ) -> None:
        super().__init__(stride)
        if gradient not in ("delta", "full"):
            raise InvalidResizer(
                f"DynOPool(gradient={gradient!r})",
                "there is no such gradient",
                "Choose 'delta' or 'full'",
            )
        self.gradient = gradient

    def soft_size(self, size: Tensor, lead: Tensor | None = None) -> Tensor:
        """max(leader's size / stride, 1.5), eq. 4.4 of the thesis."""
        return self.target(size, lead)

    def hard_size(self, size: Extent, lead: Extent | None = None) -> Extent:
        """The soft size rounded, halves to the even integer."""
        return round_half_even(self.hard_target(size, lead))

    # Each size would be compiled anew, and its portions one after another.
    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def forward(self, x: Tensor, lead: Tensor | None = None) -> Tensor:
        """Resize `x` (N, C, H, W) to (N, C, H', W')."""
        size = self.check_map(x)
        lead_size = None if lead is None else self.check_map(lead)
        soft = self.soft_size(
            constant(size, self.stride),
            None if lead_size is None else constant(lead_size, self.stride),
        )
        return learned_cells(x, soft, self.hard_size(size, lead_size), self.gradient)

    @classmethod
    def from_site(cls, site: Site) -> Self:
        """Start at the human size; a human size below 2 pixels lowers the bound of 1.5 with it."""
        v, h = (n / m for n, m in zip(site.size_in, site.size_out, strict=True))
        resizer = cls(stride=(v, h))
        least_v, least_h = (min(1.5, 0.75 * m) for m in site.size_out)
        resizer.smallest = (least_v, least_h)
        if resizer.hard_size(site.size_in) != tuple(site.size_out):
            raise InvalidResizer(
                f"DynOPool at {site.name}",
                f"it makes {resizer.hard_size(site.size_in)} of {site.size_in} "
                f"where the backbone has {site.size_out}",
                "Leave this site out (sites=...) or choose another resizer",
            )
        return resizer

    def fixed(self, size: Extent, lead: Extent | None = None) -> nn.Module:
        """`nn.MaxPool2d(2)` where that is what it does; else interpolation, then that."""
        hard = self.hard_size(size, lead)
        if tuple(size) == tuple(2 * n for n in hard):
            return (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)[self.rank - 1](2)
        return _FixedDynOPool(hard)

    def macs(self, channels: int, size_in: tuple[Dim, ...], size_out: tuple[Dim, ...]) -> Dim:
        """4 for each of the 2H' x 2W' interpolated values; comparisons are not counted.

        With another number of axes 2 or 8, as many as there are pixels around a point.
        """
        del size_in
        corners = points = 2 ** len(size_out)
        factor: int = corners * points * channels
        return factor * product(size_out)


class _FixedDynOPool(nn.Module):
    """DynOPool at one output size."""

    def __init__(self, size: Extent) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        return largest_samples(x, self.size)

    def extra_repr(self) -> str:
        return f"size={self.size}"
