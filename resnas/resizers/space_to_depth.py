"""Space to depth: resolution is folded into channels, nothing is lost."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn

from resnas.errors import InvalidResizer
from resnas.resizers._base import Extent, Site
from resnas.resizers._fixed import FixedStrideResizer


class SpaceToDepth(FixedStrideResizer):
    """Each `block` x `block` square of pixels becomes one pixel of block² times the channels.

    The building block of SPD-Conv (Sunkara & Luo 2022) for images without detail to spare: a
    stride-1 convolution behind it sees every pixel, of which a strided one skips three in four.
    In the authors' code the layer stands before the convolution in the stem and behind it in the
    stages; the paper's building block, `place = "before"`, is the default here.

    Channels come out block by block, the row offset changing fastest:
    `out[:, b * C + c, i, j] = x[:, c, block * i + b % block, block * j + b // block]`, which is not
    the order of `pixel_unshuffle`.

    Args:
        block: pixels on a side, a whole number >= 1; the stride on both axes.

    Shape:
        (N, C, H, W) to (N, block² C, H / block, W / block); H and W are multiples of block.

    Raises:
        InvalidResizer: a block that is no whole number >= 1.

    >>> SpaceToDepth()(torch.arange(8.0).view(1, 1, 2, 4)).flatten().tolist()
    [0.0, 2.0, 4.0, 6.0, 1.0, 3.0, 5.0, 7.0]
    """

    place = "before"
    widens = True

    def __init__(self, block: int = 2) -> None:
        if type(block) is not int or block < 1:
            raise InvalidResizer(
                f"SpaceToDepth(block={block!r})",
                "a block is a whole number of pixels on a side, at least 1",
                "Pass for example block=2",
            )
        super().__init__((float(block), float(block)))
        self.block = int(block)
        self.widening = self.block**2

    @classmethod
    def at(cls, stride: tuple[float, ...]) -> Self:
        """The operator whose block is this stride.

        Raises:
            InvalidResizer: the axes differ, or are no whole number >= 1.
        """
        if len(stride) != 2 or stride[0] != stride[1] or not float(stride[0]).is_integer():
            raise InvalidResizer(
                f"{cls.__name__}.at({stride!r})",
                "a block has as many rows as columns, whole pixels",
                "Pass one whole number >= 1 twice, for example (2.0, 2.0)",
            )
        return cls(int(stride[0]))

    def forward(self, x: Tensor, lead: Tensor | None = None) -> Tensor:
        """Fold the pixels of `x` (N, C, H, W).

        Raises:
            InvalidResizer: no such map, or one that does not divide into blocks.
        """
        del lead
        self.hard_size(self.check_map(x))
        return _fold(x, self.block)

    def hard_size(self, size: Extent, lead: Extent | None = None) -> Extent:
        """size / block.

        Raises:
            InvalidResizer: it does not divide into blocks.
        """
        del lead
        if any(n % self.block or n < 1 for n in size):
            raise InvalidResizer(
                type(self).__name__,
                f"a map of {'×'.join(map(str, size))} does not divide into blocks of "
                f"{self.block}×{self.block}",
                f"Give it a height and width that are multiples of {self.block}",
            )
        return tuple(n // self.block for n in size)

    @classmethod
    def from_site(cls, site: Site) -> Self:
        """Blocks of the site's nominal stride.

        Raises:
            InvalidResizer: that does not make its human size of its map.
        """
        made = cls.at(site.stride)
        if made.hard_size(site.size_in) != site.size_out:
            raise InvalidResizer(
                f"{cls.__name__} at {site.name}",
                f"blocks of {made.block}×{made.block} do not make {site.size_out} of "
                f"{site.size_in}",
                "Leave this site out (sites=...) or choose 'dynopool'",
            )
        return made

    def fixed(self, size: Extent, lead: Extent | None = None) -> nn.Module:
        """The same fold."""
        del lead
        self.hard_size(size)
        return _Fold(self.block)


class _Fold(nn.Module):
    """Space to depth without a parameter."""

    def __init__(self, block: int) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        return _fold(x, self.block)

    def extra_repr(self) -> str:
        return f"block={self.block}"


def _fold(x: Tensor, block: int) -> Tensor:
    """One copy, forward and backward, in the memory format of `x`."""
    samples, channels = x.shape[:2]
    height, width = x.shape[2] // block, x.shape[3] // block
    if not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last):
        pixels = x.permute(0, 2, 3, 1).view(samples, height, block, width, block, channels)
        folded = pixels.permute(0, 1, 3, 4, 2, 5)  # N, h, w, column, row, C
        return folded.reshape(samples, height, width, block**2 * channels).permute(0, 3, 1, 2)
    blocks = x.view(samples, channels, height, block, width, block)
    return blocks.permute(0, 5, 3, 1, 2, 4).reshape(samples, block**2 * channels, height, width)
