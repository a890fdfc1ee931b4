"""A data set with its pictures at another size."""

from __future__ import annotations

import copy

from torch import Tensor

from resnas.datasets._base import AbstractDataset
from resnas.datasets._changed import changed, scaled
from resnas.results import Size


def resized(dataset: AbstractDataset, size: Size) -> AbstractDataset:
    """The same samples with pictures of another size, bilinear, antialiased when smaller.

    Mean and deviation stay those of the data set, so that only the size differs.

    Args:
        dataset: any; it is left as it is.
        size: (H, W) in pixels.
    """

    def change(images: Tensor, index: Tensor) -> Tensor:
        del index
        return scaled(images, size)

    found = copy.copy(dataset)
    found.input_size = (dataset.input_size[0], *size)
    found.train = changed(dataset.train, change)
    found.val = changed(dataset.val, change)
    found.test = None if dataset.test is None else changed(dataset.test, change)
    return found
