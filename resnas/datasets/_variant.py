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

_SAMPLE = 4096  # pictures that mean and deviation are taken from, where they are not in memory
_LEAST = 8


class VariantDataset(AbstractDataset):
    """The splits, labels and augmentation of another data set, with every picture changed."""

    argument = "data set"

    def __init__(self, root: Path, argument: str | None = None) -> None:
        self.num_classes, self.input_size = self.facts(root, argument)
        source = load(argument or "", root)
        self.train = changed(source.train, self.change)
        self.val = changed(source.val, self.change)
        self.test = None if source.test is None else changed(source.test, self.change)
        images = self.train.images
        if not isinstance(images, Tensor) and len(images) > _SAMPLE:
            images = images[torch.arange(_SAMPLE) * len(images) // _SAMPLE]
        self.mean, self.std = statistics(images)
        self._augment = source.augment

    @classmethod
    def facts(cls, root: Path, argument: str | None = None) -> tuple[int, tuple[int, int, int]]:
        """Those of the other data set, at this one's size."""
        num_classes, (channels, height, width) = facts(argument or "", root)
        if min(height, width) < _LEAST:
            raise DatasetUnavailable(
                f"dataset {argument}",
                f"its pictures have {height}×{width} pixels",
                f"Choose one with at least {_LEAST}×{_LEAST}",
            )
        return num_classes, (channels, *cls.size((height, width)))

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
