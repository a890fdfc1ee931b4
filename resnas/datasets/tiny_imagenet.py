"""Tiny-ImageNet: 110 000 photographs of 200 classes, 64 × 64."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from resnas.datasets._folders import pictures_in
from resnas.datasets._images import random_crop
from resnas.datasets._listed import ListedDataset, Listing, lines, required
from resnas.errors import DatasetUnavailable

_PLACE = "tiny_imagenet"
_FETCH = (
    "Fetch http://cs231n.stanford.edu/tiny-imagenet-200.zip and unpack it there, or point "
    "RESNAS_DATASETS_DIR at the folder that holds tiny-imagenet-200"
)


class TinyImageNet(ListedDataset):
    """Tiny-ImageNet as published by Stanford's CS231n: `tiny-imagenet-200` under the data root.

    Its test labels are not public, so its val is the test split, as in the publications, and a
    tenth of train, stratified, seed 0, is the validation split. Augmentation: cropped from a
    border of 4 pixels in 64, and mirrored.
    """

    about = "Tiny-ImageNet: 100 000 + 10 000 photographs of 200 classes at 64×64"

    def __init__(self, root: Path, argument: str | None = None) -> None:
        self.num_classes, self.input_size = self.facts(root, argument)
        folder = root / "tiny-imagenet-200"
        labels = _labels(folder)
        self._take(_train(folder, labels), None, _val(folder, labels), place=_PLACE)

    @classmethod
    def facts(cls, root: Path, argument: str | None = None) -> tuple[int, tuple[int, int, int]]:
        """From the list of classes; checks that the rest is there."""
        del argument
        folder = root / "tiny-imagenet-200"
        for part in ("wnids.txt", "train", "val/val_annotations.txt", "val/images"):
            required(folder / part, place=_PLACE, fetch=_FETCH)
        return len(_labels(folder)), (3, 64, 64)

    def augment(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Pictures (B, 3, H, W) moved by up to a sixteenth of their size, and mirrored."""
        return random_crop(images, max(1, max(images.shape[2:]) // 16), generator)


def _labels(folder: Path) -> dict[str, int]:
    """WordNet names of the classes -> their labels, in alphabetical order."""
    return {name: label for label, name in enumerate(sorted(lines(folder / "wnids.txt")))}


def _train(folder: Path, labels: dict[str, int]) -> Listing:
    """`train/<class>/images/<picture>`."""
    found = []
    for name, label in labels.items():
        paths = pictures_in(folder / "train" / name / "images")
        if not paths:
            raise DatasetUnavailable(
                _PLACE, f"there is no picture in {folder / 'train' / name / 'images'}", _FETCH
            )
        found += [(path, label) for path in paths]
    return found


def _val(folder: Path, labels: dict[str, int]) -> Listing:
    """`val/images/<picture>`, with classes from the annotations: picture, class, box."""
    annotations = folder / "val" / "val_annotations.txt"
    found = []
    for line in lines(annotations):
        picture, _, rest = line.partition("\t")
        name = rest.partition("\t")[0]
        path = folder / "val" / "images" / picture
        if name not in labels or not path.is_file():
            raise DatasetUnavailable(
                str(annotations),
                f"'{line}' names no class of wnids.txt or no picture of val/images",
                _FETCH,
            )
        found.append((path, labels[name]))
    if not found:
        raise DatasetUnavailable(str(annotations), "it is empty", _FETCH)
    return found
