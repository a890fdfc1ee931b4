"""Many small copies: every picture at half its size, four by four."""

from __future__ import annotations

from torch import Tensor

from resnas.datasets._changed import scaled
from resnas.datasets._variant import VariantDataset
from resnas.results import Size


class Tile(VariantDataset):
    """`tile:<data set>`: half the size, tiled 4 × 4 (CIFAR-tile of the DynOPool thesis, ch. 3).

    What tells classes apart lies in small patterns: early maps have to stay large. A 32 × 32
    picture becomes 64 × 64.
    """

    about = "another data set, each picture halved and tiled 4×4: tile:cifar100, tile:npz:<name>"

    @classmethod
    def size(cls, size: Size) -> Size:
        """Four halves."""
        return (4 * (size[0] // 2), 4 * (size[1] // 2))

    @classmethod
    def change(cls, images: Tensor, index: Tensor) -> Tensor:
        """16 copies of each."""
        del index
        height, width = images.shape[2:]
        return scaled(images, (height // 2, width // 2)).repeat(1, 1, 4, 4)
