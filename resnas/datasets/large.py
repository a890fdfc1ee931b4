"""Pictures without detail: every one halved, then enlarged."""

from __future__ import annotations

from torch import Tensor

from resnas.datasets._changed import scaled
from resnas.datasets._variant import VariantDataset
from resnas.results import Size


class Large(VariantDataset):
    """`large:<data set>`: half the size, enlarged 4 × (CIFAR-large of the DynOPool thesis, ch. 3).

    The same content as `tile`, spread over the whole picture: early maps may be small. A 32 × 32
    picture becomes 64 × 64, bilinearly.
    """

    about = "another data set, each picture halved, then enlarged 4×: large:cifar100"

    @classmethod
    def size(cls, size: Size) -> Size:
        """Four halves."""
        return (4 * (size[0] // 2), 4 * (size[1] // 2))

    @classmethod
    def change(cls, images: Tensor, index: Tensor) -> Tensor:
        """Down, then up."""
        del index
        height, width = images.shape[2:]
        small = scaled(images, (height // 2, width // 2))
        return scaled(small, cls.size((height, width)))
