"""Spectral pooling: a map's spectrum cut to its low frequencies, at a fixed stride.

Rippel et al., Spectral Representations for Convolutional Neural Networks, NeurIPS 2015 (arXiv
1506.03767), as the baseline of Riad et al., ICLR 2022 (arXiv 2202.01653), has it: values grow with
the reduction of the area, and nothing compensates that.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Self

import torch
from torch import Tensor, nn

from resnas.errors import InvalidResizer
from resnas.polynomial import Dim
from resnas.resizers import _separable, _spectrum
from resnas.resizers._base import AbstractResizer, Extent, Site, constant, round_down
from resnas.resizers._spectrum import Band, Operator, Weights


class SpectralPool(AbstractResizer):
    """Low-pass filtering and resampling at once; the stride is real and not learned.

    H' = floor(H / S_h), made even, and W' = floor(W / S_w) as it is; both at least 2, but an axis
    of 1 pixel keeps it. A member of a group takes the size that its leader's map gets, and enlarges
    where its own is smaller. Bounds (`smallest`, `largest`) do not apply: nothing moves the stride.

    >>> pool = SpectralPool((2.0, 1.5))
    >>> pool(torch.ones(1, 1, 10, 10)).shape
    torch.Size([1, 1, 4, 6])

    Args:
        stride: input size / output size, (vertical, horizontal), at least 1. One number makes it
            an operator on signals, three one on volumes; all axes but the last are made even.

    Raises:
        InvalidResizer: a stride outside this range.
    """

    place = "conv"
    ranks = (1, 2, 3)

    def __init__(self, stride: tuple[float, ...] = (2.0, 2.0)) -> None:
        if not all(1 <= s < math.inf for s in stride):
            raise InvalidResizer(
                f"SpectralPool(stride={stride!r})",
                "it never enlarges",
                "Pass numbers of at least 1, for example stride=(2.0, 2.0)",
            )
        super().__init__(stride)
        self.stride.requires_grad_(False)

    def soft_size(self, size: Tensor, lead: Tensor | None = None) -> Tensor:
        """The hard size's value with the gradient of the leader's size / stride in that size."""
        lead = size if lead is None else lead
        ratio = lead / self.stride.to(lead)
        hard = self.hard_size(*(tuple(map(round, t.tolist())) for t in (size, lead)))
        return ratio + (constant(hard, ratio) - ratio.detach())

    def hard_size(self, size: Extent, lead: Extent | None = None) -> Extent:
        """The leader's size / stride rounded down, to even numbers but on the last axis."""
        pixels = size if lead is None else lead
        whole = [round_down(n / s) for n, s in zip(pixels, self.strides(), strict=True)]
        whole[:-1] = (m - m % 2 for m in whole[:-1])
        return tuple(
            max(m, min(n, 2)) + more for m, n, more in zip(whole, pixels, self.offset, strict=True)
        )

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # sizes come from the stride's value
    def forward(self, x: Tensor, lead: Tensor | None = None) -> Tensor:
        """Resize `x` (N, C, H, W) to `hard_size`."""
        size = self.check_map(x)
        hard = self.hard_size(size, None if lead is None else self.check_map(lead))
        dtype = _separable.precision(x)
        return _separable.resize(x.to(dtype), _low_pass(size, hard, x.device, dtype))

    @classmethod
    def from_site(cls, site: Site) -> Self:
        """Start at the human size; of an odd human height, which it cannot give, one below."""
        axes = zip(site.size_in, site.size_out, strict=True)
        return cls(stride=tuple(max(n / m, 1.0) for n, m in axes))

    def fixed(self, size: Extent, lead: Extent | None = None) -> nn.Module:
        """The matrix products with constant matrices."""
        hard, stride = self.hard_size(size, lead), self.stride
        return _separable.FixedSpectrum(_low_pass(size, hard, stride.device, stride.dtype), _EDGE)

    def macs(self, channels: int, size_in: tuple[Dim, ...], size_out: tuple[Dim, ...]) -> Dim:
        """Those of the matrix products."""
        return _spectrum.product_macs(channels, size_in, size_out, _EDGE)


_EDGE = 1
"""Frequencies that weigh differently for k and -k: of an even size only -K is kept of +-K."""


@lru_cache(maxsize=256)
def _low_pass(size: Extent, hard: Extent, device: torch.device, dtype: torch.dtype) -> Operator:
    exact = torch.promote_types(dtype, torch.float32)
    axes = list(zip(size, hard, strict=True))
    with torch.inference_mode(False):
        weights = [_weights(n, m, device, exact) for n, m in axes]
        return _spectrum.operator([_band(n, m) for n, m in axes], weights, dtype)


def _band(n: int, m: int) -> Band:
    kept = tuple(range(min(n, m) // 2 + 1))
    return Band(n, m, kept, kept, _EDGE)


def _weights(n: int, m: int, device: torch.device, dtype: torch.dtype) -> Weights:
    """Every frequency and its negative once; one that is its own negative in n or m, once."""
    even = [1.0 if k == 0 or 2 * k in (n, m) else 2.0 for k in _band(n, m).kept]
    odd = [-1.0 if 2 * k == m < n else 0.0 for k in _band(n, m).kept]
    of_even, of_odd = (torch.tensor(w, dtype=dtype, device=device) / m for w in (even, odd))
    return Weights(of_even, of_odd)
