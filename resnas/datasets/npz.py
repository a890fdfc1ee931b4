"""A user's own pictures as one NumPy archive."""

from __future__ import annotations

import io
import lzma
import math
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib import format as npy
from numpy.typing import NDArray
from torch import Tensor

from resnas.datasets._base import AbstractDataset, Split
from resnas.datasets._files import confined
from resnas.datasets._images import random_crop, require_tenth, statistics, with_validation
from resnas.errors import DatasetUnavailable

_FORM = "It must hold x_train, y_train and may hold x_val, y_val, x_test, y_test"
_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(ValueError, EOFError, OSError, RuntimeError),  # the last: encrypted, or packed in a new way
)
_MOST_LABELS = 2**22
_BOMB_BYTES, _BOMB_RATIO = 2**30, 500  # drawings of that size were seen packed to a hundredth
_HEADER_BYTES = 2**16 + 16  # of an array's; whoever declares a longer one wants our memory
_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


class Npz(AbstractDataset):
    """`npz:<name>` is the file `<name>.npz` under the data root, in the convention of Keras.

    `x_train`, `x_test` and perhaps `x_val` are uint8 (N, H, W, C) or (N, H, W); `y_train`, ...
    integers (N,) or (N, 1), counted from 0. Nothing is ever unpickled. Without `x_val` a tenth of
    train, stratified, seed 0, is the validation split; without `x_test` there is none.
    Augmentation: cropped from a border of an eighth of the size (4 pixels at 32), and mirrored.
    """

    argument = "name"
    about = "<name>.npz with x_train, y_train, x_test, y_test (uint8 NHWC; Keras' convention)"

    def __init__(self, root: Path, argument: str | None = None) -> None:
        archive = _Archive(root, argument or "")
        self.num_classes, self.input_size = archive.facts()
        train = archive.split("train")
        if "x_val" in archive:
            self.train, self.val = train, archive.split("val")
        else:
            self.train, self.val = with_validation(train, archive.place)
        self.test = archive.split("test") if "x_test" in archive else None
        self.mean, self.std = statistics(self.train.images)

    @classmethod
    def facts(cls, root: Path, argument: str | None = None) -> tuple[int, tuple[int, int, int]]:
        """From the arrays' headers and the labels; no picture is read."""
        return _Archive(root, argument or "").facts()

    def augment(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Pictures (B, C, H, W) moved by up to an eighth of their size, and mirrored."""
        return random_crop(images, max(1, max(images.shape[2:]) // 8), generator)


class _Archive:
    """The arrays of one `.npz`, each checked before it is used."""

    def __init__(self, root: Path, name: str) -> None:
        self.place = f"npz:{name}"
        self.path = confined(root, self.place, f"{name}.npz")
        if not self.path.is_file():
            raise DatasetUnavailable(
                self.place,
                f"there is no file {self.path}",
                "Put it there, or point RESNAS_DATASETS_DIR at the folder that holds it",
            )
        try:
            with zipfile.ZipFile(self.path) as archive:
                self.members = frozenset(archive.namelist())
        except _UNREADABLE as error:
            raise self._bad("the archive", f"cannot be read ({error})") from error

    def __contains__(self, array: str) -> bool:
        return f"{array}.npy" in self.members

    def facts(self) -> tuple[int, tuple[int, int, int]]:
        """(num_classes, input_size); checks the form of every array."""
        size = self._size("x_train")
        if "x_val" not in self:
            require_tenth(self._header("x_train")[0][0], self.place)
        classes = int(self._labels("train").max()) + 1
        if classes < 2:
            raise self._bad("y_train", "has a single class")
        if classes > self._header("x_train")[0][0]:
            raise self._bad("y_train", f"has the label {classes - 1}, and fewer pictures than that")
        for split in ("val", "test"):
            if f"x_{split}" not in self:
                continue
            if self._size(f"x_{split}") != size:
                raise self._bad(f"x_{split}", f"its pictures are not {size} as those of x_train")
            if int(self._labels(split).max()) >= classes:
                raise self._bad(f"y_{split}", f"has labels beyond {classes - 1}, y_train's largest")
        return classes, size

    def split(self, split: str) -> Split:
        """The pictures as uint8 (N, C, H, W) and their labels."""
        pictures = torch.from_numpy(self._read(f"x_{split}"))
        nchw = pictures.unsqueeze(1) if pictures.dim() == 3 else pictures.permute(0, 3, 1, 2)
        return Split(nchw.contiguous(), self._labels(split))

    def _size(self, array: str) -> tuple[int, int, int]:
        """(C, H, W) of the pictures in `array`."""
        shape, dtype = self._header(array)
        form = (*shape, 1) if len(shape) == 3 else shape
        if dtype != np.uint8 or len(form) != 4 or 0 in form or form[3] > 4:
            raise self._bad(array, f"is {dtype} {shape}, not uint8 (N, H, W, C) or (N, H, W)")
        return (form[3], form[1], form[2])

    def _labels(self, split: str) -> Tensor:
        """(N,) int64, as many as there are pictures."""
        array = f"y_{split}"
        shape, dtype = self._header(array)
        count = self._header(f"x_{split}")[0][0]
        if dtype.kind not in "iu" or shape not in ((count,), (count, 1)):
            raise self._bad(array, f"is {dtype} {shape}, not integers ({count},)")
        if count > _MOST_LABELS:
            raise self._bad(array, f"has {count:,} labels, more than {_MOST_LABELS:,}")
        labels = torch.from_numpy(self._read(array).reshape(-1).astype(np.int64, copy=False))
        if int(labels.min()) < 0:
            raise self._bad(array, f"has the label {int(labels.min())}; they count from 0")
        return labels

    def _header(self, array: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Shape and dtype of `array`, without its content."""
        if array not in self:
            raise self._bad(array, "is missing")
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(f"{array}.npy") as file:
                packed = archive.getinfo(f"{array}.npy")
                start = io.BytesIO(file.read(_HEADER_BYTES))
                shape, _, dtype = _READERS[npy.read_magic(start)](start)
        except (*_UNREADABLE, KeyError) as error:
            raise self._bad(array, f"has no readable header ({error})") from error
        size = packed.file_size
        if size > _BOMB_BYTES and size > _BOMB_RATIO * packed.compress_size:
            raise self._bad(array, f"has {size:,} bytes packed in {packed.compress_size:,}")
        return shape, dtype

    def _read(self, array: str) -> NDArray[Any]:
        shape, dtype = self._header(array)
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(f"{array}.npy") as file:
                size = archive.getinfo(f"{array}.npy").file_size
                if math.prod(shape) * dtype.itemsize > size:  # before memory is taken for it
                    raise ValueError(f"it declares {shape} {dtype}, and has {size:,} bytes")
                content: NDArray[Any] = npy.read_array(file, allow_pickle=False)
        except _UNREADABLE as error:
            raise self._bad(array, f"cannot be read ({error})") from error
        return content

    def _bad(self, array: str, found: str) -> DatasetUnavailable:
        return DatasetUnavailable(f"{self.path}: {array}", found, _FORM)
