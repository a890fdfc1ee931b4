"""FGVC-Aircraft: 10 000 photographs of 100 variants of aircraft."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from resnas.datasets._images import random_crop
from resnas.datasets._listed import ListedDataset, Listing, lines, required
from resnas.errors import DatasetUnavailable

_PLACE = "fgvc_aircraft"
_DATA = "fgvc-aircraft-2013b/data"


class FgvcAircraft(ListedDataset):
    """FGVC-Aircraft as published by Oxford's VGG, in torchvision's layout under the data root.

    Its own train, val and test splits, 3334, 3333 and 3333 photographs. They are resized so that
    the shorter side has 256 pixels, and the central 224 × 224 are cropped. Augmentation: cropped
    from a border of 16 pixels in 224, and mirrored.
    """

    about = "FGVC-Aircraft: 10 000 photographs of 100 variants of aircraft at 224×224"

    def __init__(self, root: Path, argument: str | None = None) -> None:
        self.num_classes, self.input_size = self.facts(root, argument)
        variants = {name: label for label, name in enumerate(_variants(root))}
        train, val, test = (_listing(root, split, variants) for split in ("train", "val", "test"))
        self._take(train, val, test, place=_PLACE)

    @classmethod
    def facts(cls, root: Path, argument: str | None = None) -> tuple[int, tuple[int, int, int]]:
        """From the list of variants; checks that the rest is there."""
        del argument
        splits = (f"images_variant_{split}.txt" for split in ("train", "val", "test"))
        for part in ("variants.txt", "images", *splits):
            required(root / _DATA / part, place=_PLACE, fetch=_fetch(root))
        return len(_variants(root)), (3, 224, 224)

    def augment(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Pictures (B, 3, H, W) moved by up to a fourteenth of their size, and mirrored."""
        return random_crop(images, max(1, max(images.shape[2:]) // 14), generator)


def _variants(root: Path) -> list[str]:
    """Names of the classes in their published order, which is that of the labels."""
    return [line.strip() for line in lines(root / _DATA / "variants.txt")]


def _listing(root: Path, split: str, variants: dict[str, int]) -> Listing:
    """Pictures of a split: each line of its list is a picture's number, a blank, its variant."""
    source = root / _DATA / f"images_variant_{split}.txt"
    found = []
    for line in lines(source):
        number, _, variant = line.strip().partition(" ")
        path = root / _DATA / "images" / f"{number}.jpg"
        if variant not in variants or not path.is_file():
            raise DatasetUnavailable(
                str(source),
                f"'{line}' names no variant of variants.txt or no picture of images",
                _fetch(root),
            )
        found.append((path, variants[variant]))
    if not found:
        raise DatasetUnavailable(str(source), "it is empty", _fetch(root))
    return found


def _fetch(root: Path) -> str:
    read = f"torchvision.datasets.FGVCAircraft({str(root)!r}, download=True)"
    return f'Fetch it with: python -c "import torchvision; {read}"'
