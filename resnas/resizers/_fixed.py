"""Operators with a stride that is not learned: what backbones already have."""

from __future__ import annotations

import torch
from torch import Tensor

from resnas.errors import InvalidResizer
from resnas.polynomial import Dim
from resnas.resizers._base import AbstractResizer, Extent, Site


class FixedStrideResizer(AbstractResizer):
    """A resizer with a whole-numbered stride that no gradient changes.

    Its size follows from its own map alone: a leader's size cannot be reached by other steps.

    Args:
        stride: whole numbers >= 1, (vertical, horizontal).
        ceil: whether an incomplete last window still gives a pixel. A map smaller than the stride
            gives one pixel in any case.

    Raises:
        InvalidResizer: a stride that is no whole number, or is below 1.
    """

    follows_lead = False

    def __init__(self, stride: tuple[float, float] = (2.0, 2.0), ceil: bool = False) -> None:
        super().__init__(stride)
        if not all(float(s).is_integer() for s in stride):
            raise InvalidResizer(
                f"{type(self).__name__}(stride={stride!r})",
                "it steps over whole pixels",
                "Pass whole numbers, for example stride=(2.0, 2.0), or choose 'dynopool'",
            )
        self.stride.requires_grad_(False)
        self.ceil = ceil

    def soft_size(self, size: Tensor, lead: Tensor | None = None) -> Tensor:
        """The hard size's value with the gradient of size / stride in `size`."""
        del lead
        ratio = size / self.stride.to(size)
        whole = ratio.detach().ceil() if self.ceil else ratio.detach().floor()
        return ratio + (torch.clamp(whole, min=1) - ratio.detach())

    def hard_size(self, size: Extent, lead: Extent | None = None) -> Extent:
        """ceil(size / stride) or floor, and at least 1."""
        del lead
        v, h = (
            -(-n // step) if self.ceil else max(n // step, 1)
            for n, step in zip(size, self.steps(), strict=True)
        )
        return v, h

    def steps(self) -> tuple[int, int]:
        """The stride as integers."""
        v, h = self.strides()
        return round(v), round(h)

    def window(self, size: Extent) -> tuple[int, int]:
        """The stride, but no more than the map itself: what a pool of that stride looks at."""
        v, h = (min(n, step) for n, step in zip(size, self.steps(), strict=True))
        return v, h

    def macs(self, channels: int, size_in: tuple[Dim, ...], size_out: tuple[Dim, ...]) -> Dim:
        """0: it compares, adds or copies values, and multiplies none."""
        del channels, size_in, size_out
        return 0


def rounding_of(site: Site, name: str) -> bool:
    """Whether size_in / stride has to be rounded up (True) or down to be the human size.

    Raises:
        InvalidResizer: neither gives it on both axes.
    """
    axes = list(zip(site.size_in, site.stride, site.size_out, strict=True))
    if all(-(-n // step) == m for n, step, m in axes):
        return True
    if all(max(n // step, 1) == m for n, step, m in axes):
        return False
    raise InvalidResizer(
        f"{name} at {site.name}",
        f"stride {site.stride} does not make {site.size_out} of {site.size_in}",
        "Leave this site out (sites=...) or choose 'dynopool'",
    )
