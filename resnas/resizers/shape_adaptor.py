"""Shape Adaptor: two branches of fixed scales, blended to a map of the scale between them.

Liu et al., Shape Adaptor: A Learnable Resizing Module, ECCV 2020
(doi 10.1007/978-3-030-58610-2_39).

A small branch has scale r1 (max pooling, if nothing else), a large one scale r2 (the map itself).
With σ between 0 and 1 both are resized bilinearly (`align_corners=True`) to scale
s = r1 + (r2 - r1) σ, and the result is (1 - σ) small + σ large. Published is a parameter α with
σ = sigmoid(α); here, as with every resizer, the parameter is the stride 1 / s, from which

    σ = (1 / stride - r1) / (r2 - r1),    α = ln(σ / (1 - σ)).

There is one σ to blend with but a stride on each axis: σ is the mean of both axes. Where they are
equal, the sum of their two gradients, times dstride/dα, is the published gradient of α.
"""

from __future__ import annotations

import math
from typing import Self, TypeVar

import torch
from torch import Tensor, nn

from resnas.errors import InvalidResizer
from resnas.polynomial import Dim
from resnas.resizers._alpha import alpha_at
from resnas.resizers._alpha import initial_alpha as initial_alpha
from resnas.resizers._alpha import stride_at as stride_at
from resnas.resizers._base import AbstractResizer, Extent, Site, round_down, round_half_even
from resnas.resizers._branches import FixedBranches, blend, pooled
from resnas.resizers._chain import Chain
from resnas.resizers._chain import join as join
from resnas.resizers._layout import arranged, like

Real = TypeVar("Real", float, Tensor)

_MISSED = 1e-6
"""Share by which a stride's float32 rounding may miss a bound and still lie on it."""


class ShapeAdaptor(AbstractResizer):
    """Blends a pooled map with the map itself, at a learned size between the two.

    Published are r1 = 0.5 and r2 = 1 at sites where nothing else resizes. Such an adaptor at least
    keeps half of each axis, and where the backbone halves the map it can do no less than the human
    design. `from_site` therefore sets r1 to half of the human scale.

    Sizes are truncated, as published, but never below 1 pixel (`smallest`).

    Args:
        stride: input size / output size, (vertical, horizontal), from 1 / large to 1 / small.
        small: r1, scale of the small branch, (vertical, horizontal).
        large: r2, scale of the large branch, greater on both axes.
        square: the published networks' square maps: the height decides both sizes. Otherwise each
            axis has its own (the published toy example, which keeps the aspect ratio).
        residual: double the result, for branches that are halves of a residual sum.
        cost_reaches: whether the stride gets a gradient from the size too, so that a cost can move
            it. False, as published: only from the blend.

    Raises:
        InvalidResizer: scales that are not 0 < small < large, or a stride outside of them.
    """

    place = "after"

    def __init__(
        self,
        stride: tuple[float, float] = (2**0.5, 2**0.5),
        small: tuple[float, float] = (0.5, 0.5),
        large: tuple[float, float] = (1.0, 1.0),
        square: bool = False,
        residual: bool = False,
        cost_reaches: bool = True,
    ) -> None:
        super().__init__(stride)
        _check_scales(stride, small, large)
        self.small = small
        self.large = large
        self.square = square
        self.residual = residual
        self.cost_reaches = cost_reaches
        self.smallest = (1.0, 1.0)
        self._chain: Chain | None = None
        self._leader: tuple[ShapeAdaptor, ...] = ()  # in a tuple: it is no part of this module

    @property
    def chain(self) -> Chain | None:
        """What it shares with the adaptors before and behind it, if `join` made them a chain."""
        return self._leader[0].chain if self._leader else self._chain

    @property
    def alpha(self) -> tuple[float, float]:
        """The published parameter, by axis; infinite where the stride is at a bound."""
        v, h = (
            alpha_at((scale - low) / (high - low))
            for scale, low, high in zip(self.scales(), self.small, self.large, strict=True)
        )
        return v, h

    def scales(self) -> tuple[float, float]:
        """s = 1 / stride by axis, between those of the branches; without the chain's limit."""
        v, h = (
            min(max(1 / stride, low), high)
            for stride, low, high in zip(self.strides(), self.small, self.large, strict=True)
        )
        return v, h

    def soft_size(self, size: Tensor, lead: Tensor | None = None) -> Tensor:
        """Leader's size * s, within the bounds; at a bound the gradient still passes."""
        return self.target(size, lead)

    def hard_size(self, size: Extent, lead: Extent | None = None) -> Extent:
        """The soft size truncated; rounded in a running chain."""
        soft = self.hard_target(size, lead)
        if self.chain is not None and self.chain.running:
            return round_half_even(soft)
        return tuple(map(round_down, soft))

    def target(self, size: Tensor, lead: Tensor | None = None) -> Tensor:
        """The group's size on each axis, (2,); beyond a bound the gradient is zero."""
        lead = size if lead is None else lead
        stride = self.stride if self.cost_reaches else self.stride.detach()
        scales, penalty, entering = self._scales(stride.to(lead)), self._penalty(), self._entering()
        axes = []
        for axis, n in enumerate(lead.unbind()):
            before = n if entering is None else n + (entering[axis] - n.detach())
            least = n.detach().clamp(max=self.smallest[axis])
            wanted = _held(before * scales[axis] * penalty[axis], least, self.largest[axis])
            axes.append(wanted + self.offset[axis])
        return torch.stack((axes[0], axes[0 if self.square else 1]))

    def hard_target(self, size: Extent, lead: Extent | None = None) -> tuple[float, ...]:
        """`target` in Python floats."""
        lead = size if lead is None else lead
        scales, penalty, before = self.scales(), self._penalty(), self._entering() or lead
        axes = []
        for axis, n in enumerate(lead):
            least, most = min(n, self.smallest[axis]), self.largest[axis]
            wanted = before[axis] * scales[axis] * penalty[axis]
            axes.append(min(max(wanted, least), most) + self.offset[axis])
        return axes[0], axes[0 if self.square else 1]

    def forward(self, x: Tensor, lead: Tensor | None = None) -> Tensor:
        """Resize `x` (N, C, H, W); its small branch is max pooling over 1 / r1 pixels a side."""
        size = self.check_map(x)
        hard = self.hard_size(size, None if lead is None else self.check_map(lead))
        large = arranged(x)
        return like(self._blend(pooled(large, self._window(size)), large, hard), x)

    def mix(self, small: Tensor, large: Tensor) -> Tensor:
        """Blend two branches that were made elsewhere, by convolutions say.

        Args:
            small: (N, C, h, w), the branch of scale r1.
            large: (N, C, h', w'), that of scale r2: the map to be resized has (h', w') / r2.

        Returns:
            (N, C, H', W'), the size for that map.

        Raises:
            InvalidResizer: one of them is no map, or they differ in samples or channels.
        """
        self.check_map(small)
        size = tuple(
            max(1, round(n / r2)) for n, r2 in zip(self.check_map(large), self.large, strict=True)
        )
        if small.shape[:2] != large.shape[:2]:
            raise InvalidResizer(
                "ShapeAdaptor.mix",
                f"the small branch is {tuple(small.shape)}, the large one {tuple(large.shape)}",
                "Pass branches of the same samples and channels, (N, C, h, w) and (N, C, h', w')",
            )
        return like(self._blend(arranged(small), arranged(large), self.hard_size(size)), large)

    @classmethod
    def from_site(cls, site: Site) -> Self:
        """Start at the human size, on the way from half of it to the map as it comes.

        Where the human design keeps an axis or enlarges it, r2 is twice the human scale.
        """
        pairs = list(zip(site.size_in, site.size_out, strict=True))
        stride_v, stride_h = (n / m for n, m in pairs)
        small_v, small_h = (m / n / 2 for n, m in pairs)
        large_v, large_h = (1.0 if m < n else 2 * m / n for n, m in pairs)
        adaptor = cls((stride_v, stride_h), (small_v, small_h), (large_v, large_h))
        least_v, least_h = (min(2.0, m) for m in site.size_out)
        adaptor.smallest = (least_v, least_h)
        return adaptor

    def fixed(self, size: Extent, lead: Extent | None = None) -> nn.Module:
        """Max pooling and two interpolations, weighted by constants."""
        share = self._share(self.scales())
        gain = 2.0 if self.residual else 1.0
        weights = (gain * (1 - share), gain * share)
        return FixedBranches(self.hard_size(size, lead), self._window(size), weights)

    def macs(self, channels: int, size_in: tuple[Dim, ...], size_out: tuple[Dim, ...]) -> Dim:
        """4 for each interpolated value of each branch.

        The blend counts no more than a normalisation does: it scales the interpolation's weights.
        """
        del size_in
        return 8 * channels * size_out[0] * size_out[1]

    @torch.no_grad()
    def clip_stride(self, size: Extent) -> None:
        """Bring the stride to where scale and size are within their bounds, or at one of them."""
        penalty, before = self._penalty(), self._entering() or size
        for axis, n in enumerate(size):
            whole = before[axis] * penalty[axis]
            low = max(1 / self.large[axis], whole / self.largest[axis])
            high = min(1 / self.small[axis], whole / min(n, self.smallest[axis]))
            self.stride[axis].clamp_(low, max(low, high))

    def follow(self, leader: AbstractResizer) -> None:
        """The leader's scales, form and chain too: they decide its size."""
        super().follow(leader)
        assert isinstance(leader, ShapeAdaptor)
        self.small, self.large = leader.small, leader.large
        self.square, self.cost_reaches = leader.square, leader.cost_reaches
        self._leader = () if leader is self else (leader,)

    def extra_repr(self) -> str:
        """Stride and scales, in the module's repr."""
        return f"{super().extra_repr()}, small={self.small}, large={self.large}"

    def _blend(self, small: Tensor, large: Tensor, size: Extent) -> Tensor:
        """The result for arranged branches, at (H', W')."""
        mixed = blend(small, large, self._share(self._scales(self.stride)), size)
        return 2 * mixed if self.residual else mixed

    def _scales(self, stride: Tensor) -> tuple[Tensor, Tensor]:
        """`scales` with the gradient of `stride` (2,), which a bound itself lets pass."""
        v, h = (
            _held(1 / s, low, high)
            for s, low, high in zip(stride.unbind(), self.small, self.large, strict=True)
        )
        return v, h

    def _share(self, scales: tuple[Real, Real]) -> Real:
        """σ, the mean of both axes; below 0 where the chain's limit wants less than r1.

        In the square form the height decides alone, as it does for the size.
        """
        v, h = (
            (penalty * scale - low) / (high - low)
            for penalty, scale, low, high in zip(
                self._penalty(), scales, self.small, self.large, strict=True
            )
        )
        return v if self.square else (v + h) / 2

    def _penalty(self) -> tuple[float, float]:
        return (1.0, 1.0) if self.chain is None else self.chain.penalty()

    def _entering(self) -> tuple[float, float] | None:
        """Real-valued size before this adaptor, if it is in a chain that keeps one."""
        running = self.chain is not None and self.chain.running
        leader = self._leader[0] if self._leader else self
        return self.chain.entering(leader) if self.chain is not None and running else None

    def _window(self, size: Extent) -> tuple[int, int]:
        """What max pooling looks at, to give about scale r1: no more than the map."""
        v, h = (min(n, max(1, round(1 / r1))) for n, r1 in zip(size, self.small, strict=True))
        return v, h


def _check_scales(
    stride: tuple[float, float], small: tuple[float, float], large: tuple[float, float]
) -> None:
    pairs = len(small) == 2 and len(large) == 2
    if not pairs or not all(0 < a < b < math.inf for a, b in zip(small, large, strict=True)):
        raise InvalidResizer(
            f"ShapeAdaptor(small={small!r}, large={large!r})",
            "the branches' scales are 0 < small < large on each axis",
            "Pass for example small=(0.5, 0.5), large=(1.0, 1.0): (vertical, horizontal)",
        )
    within = (
        (1 - _MISSED) / b <= s <= (1 + _MISSED) / a
        for s, a, b in zip(stride, small, large, strict=True)
    )
    if not all(within):
        lowest, highest = (tuple(1 / r for r in scales) for scales in (large, small))
        raise InvalidResizer(
            f"ShapeAdaptor(stride={stride!r})",
            f"between its branches' scales lie the strides from {lowest} to {highest}",
            "Choose one of these, or other scales: small=(0.25, 0.25) reaches stride 4",
        )


def _held(value: Tensor, least: Tensor | float, most: float) -> Tensor:
    """`value` between two bounds; its gradient passes at a bound and ends beyond it."""
    value = torch.where(value < least * (1 - _MISSED), least, value)
    return torch.where(value > most * (1 + _MISSED), most, value)
