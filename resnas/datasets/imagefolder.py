"""A user's own pictures as folders of files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from resnas.datasets._base import AbstractDataset, Images, Split
from resnas.datasets._files import confined
from resnas.datasets._images import holdout, random_crop, statistics
from resnas.errors import DatasetUnavailable
from resnas.results import Size

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}
_DEFAULT = 224
_BORDER = 1 / 16  # on each side: 224 are cropped from 256
_SAMPLE = 4096  # pictures looked at where looking at all of them would take too long
_IN_MEMORY = 2**30  # bytes
_BROKEN = (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError)


class ImageFolder(AbstractDataset):
    """`imagefolder:<name>` is `<name>/train/<class>/<picture>` under the data root.

    `val/` and `test/` may lie beside `train/` with the same classes; without `val/` a tenth of
    train, stratified, seed 0, is the validation split; without `test/` there is none.

    Pictures become RGB. Where those of train have one size of at most 224 pixels, that is the
    input size (a sample of 4096 is looked at); otherwise it is 224 × 224. A picture of another
    size is resized so that its shorter side has 8/7 of the input size, and the centre is cropped.

    Up to 1 GiB, pictures are decoded once and held in memory; beyond, they are decoded when asked
    for, and mean and deviation are those of 4096 pictures. Augmentation: cropped from a border of
    an eighth of the size, and mirrored.
    """

    argument = "name"
    about = "<name>/train/<class>/*.jpg, and val/ or test/ beside it; 224×224 if sizes differ"

    def __init__(self, root: Path, argument: str | None = None) -> None:
        folder = _Folder(root, argument or "")
        self.num_classes, self.input_size = folder.facts()
        train, val, test = (folder.listing(split) for split in ("train", "val", "test"))
        if not val:
            kept, held = holdout(torch.tensor([label for _, label in train]), 0.1)
            train, val = [train[i] for i in kept], [train[i] for i in held]
        pixels = (len(train) + len(val) + len(test)) * 3 * self.input_size[1] * self.input_size[2]
        in_memory = pixels <= _IN_MEMORY
        self.train = self._split(train, in_memory=in_memory)
        self.val = self._split(val, in_memory=in_memory)
        self.test = self._split(test, in_memory=in_memory) if test else None
        self.mean, self.std = statistics(self._sample())

    @classmethod
    def facts(cls, root: Path, argument: str | None = None) -> tuple[int, tuple[int, int, int]]:
        """From the folders' names and the headers of at most 4096 pictures."""
        return _Folder(root, argument or "").facts()

    def augment(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Pictures (B, 3, H, W) moved by up to an eighth of their size, and mirrored."""
        return random_crop(images, max(1, max(images.shape[2:]) // 8), generator)

    def _split(self, listing: Sequence[tuple[Path, int]], *, in_memory: bool) -> Split:
        files = _Files([path for path, _ in listing], self.input_size[1:])
        labels = torch.tensor([label for _, label in listing])
        images: Images = files[torch.arange(len(files))] if in_memory else files
        return Split(images, labels)

    def _sample(self) -> Images:
        images = self.train.images
        if isinstance(images, _Files) and len(images) > _SAMPLE:
            return images[_spread(len(images))]
        return images


class _Folder:
    """The files of one data set, checked."""

    def __init__(self, root: Path, name: str) -> None:
        self.place = f"imagefolder:{name}"
        self.path = confined(root, self.place, name)
        train = self.path / "train"
        if not train.is_dir():
            raise DatasetUnavailable(
                self.place,
                f"there is no folder {train}",
                "Put pictures there as train/<class>/<picture>, or point RESNAS_DATASETS_DIR "
                "at the folder that holds it",
            )
        self.classes = sorted(entry.name for entry in train.iterdir() if entry.is_dir())
        if len(self.classes) < 2:
            raise DatasetUnavailable(
                str(train), f"it has {len(self.classes)} classes", "It must hold two or more"
            )

    def facts(self) -> tuple[int, tuple[int, int, int]]:
        """(num_classes, input_size)."""
        paths = [path for path, _ in self.listing("train")]
        sizes = {_size(paths[0])}
        for i in _spread(len(paths)).tolist():
            sizes.add(_size(paths[i]))
            if len(sizes) > 1:
                break
        size = sizes.pop()
        if sizes or max(size) > _DEFAULT:
            size = (_DEFAULT, _DEFAULT)
        return len(self.classes), (3, *size)

    def listing(self, split: str) -> list[tuple[Path, int]]:
        """(file, label) of every picture of `split`, sorted; empty where there is no folder."""
        folder = self.path / split
        if not folder.is_dir():
            return []
        strange = {entry.name for entry in folder.iterdir() if entry.is_dir()} - set(self.classes)
        if strange:
            raise DatasetUnavailable(
                str(folder), f"train has no class '{min(strange)}'", "Give all splits its classes"
            )
        found = [
            (path, label)
            for label, name in enumerate(self.classes)
            for path in self._pictures(folder / name, required=split == "train")
        ]
        if not found:
            raise DatasetUnavailable(str(folder), "it holds no picture", "Fill or remove it")
        return found

    def _pictures(self, folder: Path, *, required: bool) -> list[Path]:
        inside = folder.iterdir() if folder.is_dir() else ()
        paths = sorted(path for path in inside if path.suffix.lower() in _SUFFIXES)
        if required and not paths:
            raise DatasetUnavailable(
                str(folder),
                "it holds no picture",
                f"Fill or remove it; pictures end in {' '.join(sorted(_SUFFIXES))}",
            )
        return paths


class _Files:
    """Picture files, decoded when asked for: `Images`."""

    def __init__(self, paths: Sequence[Path], size: Size) -> None:
        self.paths = paths
        self.size = size

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: Tensor) -> Tensor:
        height, width = self.size
        pictures = torch.empty(len(index), height, width, 3, dtype=torch.uint8)
        paths = [self.paths[i] for i in index.tolist()]
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            for row, pixels in enumerate(pool.map(self._decode, paths)):
                pictures[row] = pixels
        return pictures.permute(0, 3, 1, 2).contiguous()

    def _decode(self, path: Path) -> Tensor:
        height, width = self.size
        try:
            with Image.open(path) as file:
                picture = file.convert("RGB")
        except _BROKEN as error:
            raise _corrupt(path, error) from error
        if picture.size != (width, height):
            picture = ImageOps.fit(
                picture, (width, height), Image.Resampling.BILINEAR, bleed=_BORDER
            )
        return torch.from_numpy(np.array(picture))


def _size(path: Path) -> Size:
    """Height and width, from the file's header."""
    try:
        with Image.open(path) as file:
            return (file.height, file.width)
    except _BROKEN as error:
        raise _corrupt(path, error) from error


def _corrupt(path: Path, error: Exception) -> DatasetUnavailable:
    return DatasetUnavailable(
        str(path), f"it is no readable picture ({error})", "Repair or remove this file"
    )


def _spread(count: int) -> Tensor:
    """Indices of at most `_SAMPLE` of `count` things, evenly spaced."""
    number = min(count, _SAMPLE)
    return torch.arange(number) * count // number
