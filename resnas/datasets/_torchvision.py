"""The data sets that torchvision reads; nothing is ever downloaded from here."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from resnas.datasets._base import AbstractDataset, Split
from resnas.datasets._images import random_crop, statistics, with_validation
from resnas.errors import DatasetUnavailable


class TorchvisionDataset(AbstractDataset):
    """Train and test as published; val is a tenth of train, stratified, seed 0.

    Augmentation for 32 pixels: cropped from a border of 4 black pixels, and mirrored.

    Attributes:
        reader: torchvision's class.
        shape: (num_classes, input_size).
    """

    reader: ClassVar[Any]
    shape: ClassVar[tuple[int, tuple[int, int, int]]]

    def __init__(self, root: Path, argument: str | None = None) -> None:
        self.num_classes, self.input_size = self.facts(root, argument)
        self.train, self.val = with_validation(self._read(root, train=True), self._name())
        self.test = self._read(root, train=False)
        self.mean, self.std = statistics(self.train.images)

    @classmethod
    @abstractmethod
    def files(cls) -> Sequence[str]:
        """The files that torchvision reads, relative to the data root."""

    @classmethod
    def facts(cls, root: Path, argument: str | None = None) -> tuple[int, tuple[int, int, int]]:
        """From the publication; checks that the files are there, reads none."""
        del argument
        for name in cls.files():
            if not (root / name).is_file():
                raise cls._unavailable(root, f"there is no file {root / name}")
        return cls.shape

    def augment(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Pictures (B, C, H, W) moved by up to 4 pixels, and mirrored."""
        return random_crop(images, 4, generator)

    def _read(self, root: Path, *, train: bool) -> Split:
        try:
            source = self.reader(str(root), train=train, download=False)
        except (RuntimeError, ValueError, OSError, EOFError, AssertionError) as error:
            raise self._unavailable(root, f"the files cannot be read ({error})") from error
        pictures = torch.as_tensor(np.asarray(source.data))
        nchw = pictures.unsqueeze(1) if pictures.dim() == 3 else pictures.permute(0, 3, 1, 2)
        labels = torch.as_tensor(source.targets, dtype=torch.int64)
        if tuple(nchw.shape) != (len(labels), *self.input_size):
            raise self._unavailable(root, f"{len(labels)} labels, pictures {tuple(nchw.shape)}")
        return Split(nchw.contiguous(), labels)

    @classmethod
    def _name(cls) -> str:
        return cls.__module__.rpartition(".")[2]

    @classmethod
    def _unavailable(cls, root: Path, found: str) -> DatasetUnavailable:
        fetch = f"torchvision.datasets.{cls.reader.__name__}({str(root)!r}, download=True)"
        return DatasetUnavailable(
            cls._name(),
            found,
            f'Fetch them with: python -c "import torchvision; {fetch}"',
        )
