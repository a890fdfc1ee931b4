"""Handwritten digits: small, real, and part of scikit-learn, so there is nothing to download."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from resnas.datasets._base import AbstractDataset, Split
from resnas.datasets._images import holdout, random_crop, statistics


class Digits(AbstractDataset):
    """The 1797 digits of 8 × 8 pixels from UCI, enlarged bilinearly to 32 × 32, one channel.

    They bring no splits of their own: 60 % train, 20 % val, 20 % test, stratified, seed 0.
    Augmentation moves each picture by up to 2 pixels; a mirrored digit is no digit.
    """

    about = "1797 handwritten digits of scikit-learn at 32×32; nothing to download"

    def __init__(self, root: Path, argument: str | None = None) -> None:
        del root, argument
        from sklearn.datasets import load_digits  # takes a second; whoever asks facts need not wait

        pictures, target = load_digits(return_X_y=True)
        eight = torch.from_numpy(pictures).float().reshape(-1, 1, 8, 8) * (255 / 16)
        large = interpolate(eight, size=(32, 32), mode="bilinear", align_corners=False)
        everything = Split(large.round().to(torch.uint8), torch.from_numpy(target).long())
        seen, test = holdout(everything.labels, 0.2)
        train, val = holdout(everything.labels[seen], 0.25)
        self.num_classes, self.input_size = self.facts(Path())
        self.train = everything.subset(seen[train])
        self.val = everything.subset(seen[val])
        self.test = everything.subset(test)
        self.mean, self.std = statistics(self.train.images)

    @classmethod
    def facts(cls, root: Path, argument: str | None = None) -> tuple[int, tuple[int, int, int]]:
        """Ten classes, (1, 32, 32)."""
        del root, argument
        return 10, (1, 32, 32)

    def augment(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Each picture of (B, 1, 32, 32) moved by up to 2 pixels on each axis."""
        return random_crop(images, 2, generator, flip=False)
