"""Pictures that lie in files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from resnas.errors import DatasetUnavailable
from resnas.results import Size

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")  # others may start programs
_MOST_PIXELS = 2**26  # of one picture: 200 MB once it is decoded, in each thread
_BORDER = 1 / 16  # on each side: 224 are cropped from 256
_THREADS = 8
_BROKEN = (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError)


class PictureFiles:
    """Picture files, decoded to RGB when asked for: `Images`.

    A picture of another size is resized so that its shorter side has 8/7 of what is asked for, and
    the centre is cropped.

    Args:
        paths: of the files.
        size: (H, W) in pixels that all get.
    """

    def __init__(self, paths: Sequence[Path], size: Size) -> None:
        self.paths = paths
        self.size = size

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: Tensor) -> Tensor:
        pictures = torch.empty(len(index), 3, *self.size, dtype=torch.uint8)

        def fill(row: int, place: int) -> None:
            pictures[row] = self._decoded(self.paths[place])

        with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
            for _ in pool.map(fill, range(len(index)), index.tolist()):
                pass  # asking for each result raises what its thread raised
        return pictures

    def _decoded(self, path: Path) -> Tensor:
        """(3, H, W) uint8."""
        height, width = self.size
        with _opened(path) as file:
            picture = file.convert("RGB")
        if picture.size != (width, height):
            picture = ImageOps.fit(
                picture, (width, height), Image.Resampling.BILINEAR, bleed=_BORDER
            )
        return torch.from_numpy(np.array(picture)).permute(2, 0, 1)


def picture_size(path: Path) -> Size:
    """(H, W) of a picture in pixels, from the file's header.

    Raises:
        DatasetUnavailable: it is no readable picture.
    """
    with _opened(path) as file:
        return (file.height, file.width)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """A picture whose header is read; a few bytes may declare more pixels than memory holds."""
    try:
        with Image.open(path, formats=_FORMATS) as file:
            if file.width * file.height > _MOST_PIXELS:
                raise ValueError(
                    f"it declares {file.width}×{file.height} pixels, more than {_MOST_PIXELS:,}"
                )
            yield file
    except _BROKEN as error:
        raise DatasetUnavailable(
            str(path), f"it is no readable picture ({error})", "Repair or remove this file"
        ) from error
