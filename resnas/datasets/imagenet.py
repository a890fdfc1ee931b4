"""ImageNet (ILSVRC 2012): 1.3 million photographs of 1000 classes."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from resnas.datasets._folders import by_class, classes_of
from resnas.datasets._images import random_resized_crop
from resnas.datasets._listed import ListedDataset, required
from resnas.errors import DatasetUnavailable

_PLACE = "imagenet"
_FETCH = (
    "Register at https://image-net.org, unpack the training and validation pictures of ILSVRC 2012 "
    "as train/<class>/*.JPEG and val/<class>/*.JPEG, a folder for each WordNet name (n01440764, "
    "...), or point RESNAS_DATASETS_DIR at the folder that holds imagenet"
)


class ImageNet(ListedDataset):
    """ImageNet's classification set: `imagenet/train/<class>` and `imagenet/val/<class>`.

    1000 classes where it is whole; a choice of classes in the same folders is taken as it is. The
    labels of its test split are not public, so its val is the test split, as in the publications,
    and a tenth of train, stratified, seed 0, is the validation split.

    Photographs are resized so that the shorter side has 256 pixels, the central 224 × 224 are
    cropped, and augmentation takes a part of random size and shape from these. (The publications
    take it from the whole photograph, which is not kept.)
    """

    about = "ImageNet (ILSVRC 2012): 1.28 million + 50 000 photographs of 1000 classes at 224×224"

    def __init__(self, root: Path, argument: str | None = None) -> None:
        self.num_classes, self.input_size = self.facts(root, argument)
        folder = root / "imagenet"
        classes = classes_of(folder / "train")
        train = by_class(folder / "train", classes, every=True)
        test = by_class(folder / "val", classes, every=True)
        self._take(train, None, test, place=_PLACE)

    @classmethod
    def facts(cls, root: Path, argument: str | None = None) -> tuple[int, tuple[int, int, int]]:
        """From the names of the folders; no file is looked for."""
        del argument
        train, val = (
            classes_of(required(root / "imagenet" / split, place=_PLACE, fetch=_FETCH))
            for split in ("train", "val")
        )
        if train != val:
            odd = min(set(train) ^ set(val))
            raise DatasetUnavailable(_PLACE, f"'{odd}' is in train or val alone", _FETCH)
        return len(train), (3, 224, 224)

    def augment(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Random parts of pictures (B, 3, H, W) at their full size, mirrored half of the time."""
        return random_resized_crop(images, generator)
