"""A small part of another data set: for a first look, and for machines without a GPU."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from resnas.datasets._base import AbstractDataset, Split, facts, load
from resnas.datasets._images import holdout
from resnas.errors import DatasetUnavailable

LEAST = 1000
"""Samples that a split keeps, where it has them."""


class Part(AbstractDataset):
    """`part:<share>:<data set>`: that share of each split, stratified, always the same samples.

    No split is cut below 1000 samples. Mean and deviation stay those of the whole, so that only
    the number of samples differs.
    """

    argument = "share:data set"
    about = "a share of another data set, 1000 samples at least: part:0.02:cifar100"

    def __init__(self, root: Path, argument: str | None = None) -> None:
        share, name = _read(argument or "")
        source = load(name, root)
        self.num_classes, self.input_size = source.num_classes, source.input_size
        self.mean, self.std = source.mean, source.std
        self.train, self.val = _part(source.train, share), _part(source.val, share)
        self.test = None if source.test is None else _part(source.test, share)
        source.forget()
        self._augment = source.augment

    @classmethod
    def facts(cls, root: Path, argument: str | None = None) -> tuple[int, tuple[int, int, int]]:
        """Those of the other data set."""
        return facts(_read(argument or "")[1], root)

    def augment(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """As the other data set does."""
        return self._augment(images, generator)


def _read(argument: str) -> tuple[float, str]:
    """Share and name of the other data set."""
    text, _, name = argument.partition(":")
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1 or not name:
        raise DatasetUnavailable(
            f"dataset part:{argument}",
            "it does not say which share of which data set",
            "Write a share above 0 and at most 1, and a name, like part:0.02:cifar100",
        )
    return share, name


def _part(split: Split, share: float) -> Split:
    count = max(round(share * len(split)), min(LEAST, len(split)))
    if count == len(split):
        return split
    _, held = holdout(split.labels, count / len(split))
    return split.subset(held)
