"""Data sets made of another one's pictures."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path

import torch
from torch import Tensor

from resnas.datasets._base import AbstractDataset, facts, load
from resnas.datasets._changed import changed
from resnas.datasets._images import statistics
from resnas.errors import DatasetUnavailable
from resnas.results import Size

_LEAST, _MOST = 8, 1024  # pixels of a side, before and after


class VariantDataset(AbstractDataset):
    """The splits, labels and augmentation of another data set, with every picture changed."""

    argument = "data set"

    def __init__(self, root: Path, argument: str | None = None) -> None:
        self.num_classes, self.input_size = self.facts(root, argument)
        source = load(argument or "", root)
        self.train = changed(source.train, self.change)
        self.val = changed(source.val, self.change)
        self.test = None if source.test is None else changed(source.test, self.change)
        source.forget()
        self.mean, self.std = statistics(self.train.images)
        self._augment = source.augment

    @classmethod
    def facts(cls, root: Path, argument: str | None = None) -> tuple[int, tuple[int, int, int]]:
        """Those of the other data set, at this one's size."""
        num_classes, (channels, height, width) = facts(argument or "", root)
        size = cls.size((height, width))
        if min(height, width) < _LEAST or max(size) > _MOST:
            raise DatasetUnavailable(
                f"{cls.__module__.rpartition('.')[2]}:{argument}",
                f"pictures of {height}×{width} pixels would become {size[0]}×{size[1]}",
                f"Choose a data set with pictures of at least {_LEAST}×{_LEAST} that become "
                f"{_MOST}×{_MOST} at most",
            )
        return num_classes, (channels, *size)

    @classmethod
    @abstractmethod
    def size(cls, size: Size) -> Size:
        """(H, W) that pictures of `size` become."""

    @classmethod
    @abstractmethod
    def change(cls, images: Tensor, index: Tensor) -> Tensor:
        """What pictures (B, C, H, W) uint8 at the places `index` of their split become."""

    def augment(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """As the other data set does, on the changed pictures."""
        return self._augment(images, generator)
