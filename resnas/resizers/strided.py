"""Subsampling: what a strided convolution does to the map of its stride-1 twin."""

from __future__ import annotations

from torch import Tensor, nn

from resnas.resizers._base import Extent, Site
from resnas.resizers._fixed import FixedStrideResizer


class Strided(FixedStrideResizer):
    """Every s-th row and column, beginning with the first; ceil(H / s) rows remain.

    Behind a stride-1 convolution, norm and activation (its `place`) it gives what the strided
    convolution gave. A search space therefore leaves the backbone's own, cheaper operation alone.

    Args:
        stride: whole numbers >= 1, (vertical, horizontal).

    Raises:
        InvalidResizer: a stride that is no whole number, or is below 1.
    """

    place = "after"

    def __init__(self, stride: tuple[float, float] = (2.0, 2.0)) -> None:
        super().__init__(stride, ceil=True)

    def forward(self, x: Tensor, lead: Tensor | None = None) -> Tensor:
        """Subsample `x` (N, C, H, W)."""
        del lead
        self.check_map(x)
        v, h = self.steps()
        return x[:, :, ::v, ::h]

    @classmethod
    def from_site(cls, site: Site) -> None:
        """Nothing: the backbone's own operation stays, bit for bit."""
        del site

    def fixed(self, size: Extent, lead: Extent | None = None) -> nn.Module:
        """The same slice with constant steps."""
        del size, lead
        return _Slice(self.steps())


class _Slice(nn.Module):
    """Every v-th row and h-th column."""

    def __init__(self, steps: tuple[int, int]) -> None:
        super().__init__()
        self.steps = steps

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, :: self.steps[0], :: self.steps[1]]

    def extra_repr(self) -> str:
        return f"steps={self.steps}"
