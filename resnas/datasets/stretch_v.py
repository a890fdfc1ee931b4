"""Pictures stretched vertically, of which a part is seen."""

from __future__ import annotations

import torch
from torch import Tensor

from resnas.datasets._changed import scaled
from resnas.datasets._variant import VariantDataset
from resnas.results import Size


class StretchV(VariantDataset):
    """`stretch_v:<data set>`: twice as high, cropped to the size it had (thesis, ch. 3).

    CIFAR-stretch-V of the DynOPool thesis: detail is twice as dense from left to right as from top
    to bottom, so wide maps are better. Where each picture is cropped is drawn at random once, by
    its place in its split, not anew in every epoch.
    """

    about = "another data set stretched to twice its height, then cropped: stretch_v:cifar100"

    @classmethod
    def size(cls, size: Size) -> Size:
        """As it was."""
        return size

    @classmethod
    def change(cls, images: Tensor, index: Tensor) -> Tensor:
        """The rows of a window, its place drawn by the picture's place in the split."""
        height, width = images.shape[2:]
        tall = scaled(images, (2 * height, width))
        top = _drawn(index, height + 1).to(images.device)
        rows = top[:, None] + torch.arange(height, device=images.device)
        return tall.gather(2, rows[:, None, :, None].expand_as(images))


def _drawn(index: Tensor, count: int) -> Tensor:
    """A whole number below `count` for each place, evenly, the same whoever asks and when."""
    mixed = (index + 1) * 2654435761 % 2**32  # Knuth's multiplicative hash
    mixed = (mixed ^ (mixed >> 15)) * 1103515245 % 2**32  # odd, and the product fits 63 bits
    return mixed * count // 2**32
