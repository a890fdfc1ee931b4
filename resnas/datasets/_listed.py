"""Data sets that are lists of picture files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from resnas.datasets._base import AbstractDataset, Split, in_memory
from resnas.datasets._images import random_crop, statistics, tenth
from resnas.datasets._pictures import PictureFiles
from resnas.errors import DatasetUnavailable

Listing = Sequence[tuple[Path, int]]
"""Picture files, each with its label."""


class ListedDataset(AbstractDataset):
    """Pictures in files, as RGB of one size; a split of up to 2 GiB is decoded once and held.

    Larger splits are decoded when asked for, and mean and deviation are those of 4096 pictures.
    Augmentation: cropped from a border of an eighth of the size, and mirrored.
    """

    def augment(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Pictures (B, 3, H, W) moved by up to an eighth of their size, and mirrored."""
        return random_crop(images, max(1, max(images.shape[2:]) // 8), generator)

    def _take(
        self, train: Listing, val: Listing | None, test: Listing | None, *, place: str
    ) -> None:
        """Make the splits of these files; `input_size` is known.

        Args:
            train: its files.
            val: None: a tenth of train, stratified, seed 0.
            test: None: there is none.
            place: the data set as the user named it, for messages.

        Raises:
            DatasetUnavailable: train is too small for its tenth, or a picture cannot be read.
        """
        if val is None:
            kept, held = tenth(torch.tensor([label for _, label in train]), place)
            train, val = [train[i] for i in kept.tolist()], [train[i] for i in held.tolist()]
        self.train, self.val = self._split(train), self._split(val)
        self.test = None if test is None else self._split(test)
        self.mean, self.std = statistics(self.train.images)

    def _split(self, listing: Listing) -> Split:
        files = PictureFiles([path for path, _ in listing], self.input_size[1:])
        return Split(in_memory(files), torch.tensor([label for _, label in listing]))


def required(path: Path, *, place: str, fetch: str) -> Path:
    """`path`, which must be there.

    Args:
        path: a file or folder of a published data set.
        place: the data set's name.
        fetch: where to get it, for the message.

    Raises:
        DatasetUnavailable: there is nothing.
    """
    if not path.exists():
        raise DatasetUnavailable(place, f"there is no {path}", fetch)
    return path


def lines(path: Path) -> list[str]:
    """The lines of a text file that are not blank.

    Raises:
        DatasetUnavailable: it is no text.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetUnavailable(
            str(path), f"it cannot be read ({error})", "Extract the published archive anew"
        ) from error
    return [line for line in text.splitlines() if line.strip()]
