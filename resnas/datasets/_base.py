"""What every data set states, and how one is found by its name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from resnas.catalog import datasets
from resnas.errors import DatasetUnavailable

IN_MEMORY = 2**31
"""Bytes up to which the pictures of a split are held in memory."""

_CHUNK = 256  # pictures read at a time


class Images(Protocol):
    """Pictures that can be indexed: a uint8 tensor (N, C, H, W), or files decoded when asked."""

    def __len__(self) -> int:
        """How many there are."""

    def __getitem__(self, index: Tensor) -> Tensor:
        """The pictures at `index` (B,) int64, as uint8 (B, C, H, W)."""


@dataclass(frozen=True)
class Split:
    """Pictures and their labels: int64 (N,), 0 to num_classes - 1."""

    images: Images
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def subset(self, index: Tensor) -> Split:
        """The samples at `index` (M,); in memory where they fit."""
        return Split(in_memory(_Chosen(self.images, index)), self.labels[index])


def in_memory(images: Images) -> Images:
    """The same pictures: a tensor where they take at most `IN_MEMORY` bytes, else as they are."""
    if isinstance(images, Tensor):
        return images
    first = images[torch.zeros(1, dtype=torch.int64)]
    if first.numel() * len(images) > IN_MEMORY:
        return images
    whole = first.new_empty(len(images), *first.shape[1:])
    for chunk in torch.split(torch.arange(len(images)), _CHUNK):
        whole[chunk] = images[chunk]
    return whole


class _Chosen:
    """Some of other `Images`."""

    def __init__(self, images: Images, index: Tensor) -> None:
        self.images = images
        self.index = index

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, index: Tensor) -> Tensor:
        return self.images[self.index[index]]


class AbstractDataset(ABC):
    """Three splits and the facts that training needs.

    Attributes:
        argument: whether the name goes on after a colon, as in `npz:<name>`; its meaning.
        num_classes: of the labels.
        input_size: (C, H, W) of one sample.
        mean, std: per channel, of pictures scaled to 0..1, over the training split.
        train, val: splits; val is a tenth of train, stratified, where the data bring none.
        test: None where the data bring none.
    """

    argument: ClassVar[str | None] = None
    about: ClassVar[str]

    num_classes: int
    input_size: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    train: Split
    val: Split
    test: Split | None

    @abstractmethod
    def __init__(self, root: Path, argument: str | None = None) -> None:
        """Load or open the data under `root`.

        Raises:
            DatasetUnavailable: the files are missing or not as expected.
        """

    @classmethod
    @abstractmethod
    def facts(cls, root: Path, argument: str | None = None) -> tuple[int, tuple[int, int, int]]:
        """(num_classes, input_size) without loading the pictures.

        Raises:
            DatasetUnavailable: the files are missing or not as expected.
        """

    def augment(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Random changes of a batch (B, C, H, W) of pictures, dtype kept; none by default."""
        del generator
        return images

    def forget(self) -> None:
        """Let go of the splits, once another data set has taken from them what it needs."""
        del self.train, self.val, self.test


ENTRY = AbstractDataset


def _resolve(name: str) -> tuple[type[AbstractDataset], str | None]:
    entry_name, colon, argument = name.partition(":")
    entry: type[AbstractDataset] = datasets[entry_name]
    if bool(colon) != (entry.argument is not None) or (colon and not argument):
        form = entry_name + (f":<{entry.argument}>" if entry.argument else "")
        raise DatasetUnavailable(
            "dataset", f"'{name}' is not of the form '{form}'", f"Use '{form}'"
        )
    return entry, argument or None


def load(name: str, root: Path) -> AbstractDataset:
    """The data set `name` (`digits`, `npz:cifar10`, ...), its files under `root`.

    Raises:
        UnknownName: no such data set.
        DatasetUnavailable: its files are missing or not as expected.
    """
    entry, argument = _resolve(name)
    return entry(root, argument)


def facts(name: str, root: Path) -> tuple[int, tuple[int, int, int]]:
    """(num_classes, input_size) of the data set `name`, without loading its pictures.

    Raises:
        UnknownName: no such data set.
        DatasetUnavailable: its files are missing or not as expected.
    """
    entry, argument = _resolve(name)
    return entry.facts(root, argument)
