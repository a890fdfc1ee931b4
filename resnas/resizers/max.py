"""Max pooling with a fixed stride."""

from __future__ import annotations

from typing import Self

import torch.nn.functional as F
from torch import Tensor, nn

from resnas.resizers._base import Extent, Site
from resnas.resizers._fixed import FixedStrideResizer, rounding_of


class Max(FixedStrideResizer):
    """The largest value of each s x s window; windows do not overlap.

    It stands behind norm and activation (`place`), where networks with pools have it.
    """

    place = "after"

    def forward(self, x: Tensor, lead: Tensor | None = None) -> Tensor:
        """Pool `x` (N, C, H, W)."""
        del lead
        window = self.window(self.check_map(x))
        return F.max_pool2d(x, window, ceil_mode=self.ceil)

    @classmethod
    def from_site(cls, site: Site) -> Self:
        """The site's nominal stride, rounded so that the human size comes out."""
        v, h = site.stride
        return cls(stride=(v, h), ceil=rounding_of(site, "Max"))

    def fixed(self, size: Extent, lead: Extent | None = None) -> nn.Module:
        """`nn.MaxPool2d`."""
        del lead
        return nn.MaxPool2d(self.window(size), ceil_mode=self.ceil)
