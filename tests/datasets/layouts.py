"""Small data sets in the layouts in which data sets are published, with pictures of noise."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from PIL import Image

NOISE = np.random.default_rng(0)


def pictures(count: int, *shape: int) -> np.ndarray:
    return NOISE.integers(0, 256, (count, *shape), dtype=np.uint8)


def write_npz(root: Path) -> str:
    labels = np.arange(40) % 4
    arrays = {"x_train": pictures(40, 12, 10, 3), "y_train": labels}
    np.savez(root / "mine.npz", **arrays, x_test=pictures(8, 12, 10, 3), y_test=labels[:8, None])
    return "npz:mine"


def write_files(folder: Path, names: Iterable[str], height: int, width: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.fromarray(pictures(1, height, width, 3)[0]).save(folder / name)


def write_folder(root: Path) -> str:
    for split, count in (("train", 10), ("test", 3)):
        for name in ("cat", "dog"):
            files = [f"{number}.png" for number in range(count)]
            write_files(root / "pets" / split / name, files, 20, 16)
    return "imagefolder:pets"


def write_fashion(root: Path) -> str:
    """The IDX format: a magic number, the sizes as big-endian integers, the bytes."""
    raw = root / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for part, count in (("train", 30), ("t10k", 10)):
        for kind, content in (
            ("images-idx3", pictures(count, 28, 28)),
            ("labels-idx1", (np.arange(count) % 10).astype(np.uint8)),
        ):
            head = bytes([0, 0, 8, content.ndim]) + np.array(content.shape, ">i4").tobytes()
            (raw / f"{part}-{kind}-ubyte").write_bytes(head + content.tobytes())
    return "fashion_mnist"


TINY_CLASSES = ("n02124075", "n01443537", "n04067472")  # in the file's order, not sorted


def write_tiny(root: Path) -> str:
    folder = root / "tiny-imagenet-200"
    for name in TINY_CLASSES:
        files = [f"{name}_{number}.JPEG" for number in range(8)]
        write_files(folder / "train" / name / "images", files, 64, 64)
        (folder / "train" / name / f"{name}_boxes.txt").write_text(f"{files[0]}\t0\t0\t62\t62\n")
    (folder / "wnids.txt").write_text("".join(f"{name}\n" for name in TINY_CLASSES))
    files = [f"val_{number}.JPEG" for number in range(6)]
    write_files(folder / "val" / "images", files, 64, 64)
    rows = zip(files, itertools.cycle(TINY_CLASSES), strict=False)
    text = "".join(f"{file}\t{name}\t0\t32\t44\t62\n" for file, name in rows)
    (folder / "val" / "val_annotations.txt").write_text(text)
    write_files(folder / "test" / "images", ["test_0.JPEG"], 64, 64)
    return "tiny_imagenet"


VARIANTS = ("Boeing 737-700", "A300B4", "F/A-18")


def write_aircraft(root: Path) -> str:
    data = root / "fgvc-aircraft-2013b" / "data"
    data.mkdir(parents=True)
    (data / "variants.txt").write_text("".join(f"{name}\n" for name in VARIANTS))
    first = 34309
    for split, count in (("train", 9), ("val", 6), ("test", 6)):
        numbers = [f"{number:07}" for number in range(first, first + count)]
        write_files(data / "images", [f"{number}.jpg" for number in numbers], 60, 90)
        rows = zip(numbers, itertools.cycle(VARIANTS), strict=False)
        text = "".join(f"{number} {name}\n" for number, name in rows)
        (data / f"images_variant_{split}.txt").write_text(text)
        first += count
    return "fgvc_aircraft"


def write_imagenet(root: Path) -> str:
    for name in ("n01440764", "n01443537"):
        for split, count in (("train", 10), ("val", 2)):
            files = [f"{name}_{number}.JPEG" for number in range(count)]
            write_files(root / "imagenet" / split / name, files, 50, 40)
    return "imagenet"


WRITERS: dict[str, Callable[[Path], str]] = {
    "digits": lambda _: "digits",
    "npz": write_npz,
    "imagefolder": write_folder,
    "fashion_mnist": write_fashion,
    "tiny_imagenet": write_tiny,
    "fgvc_aircraft": write_aircraft,
    "imagenet": write_imagenet,
    "part": lambda _: "part:0.5:digits",
    "tile": lambda root: f"tile:{write_npz(root)}",
    "large": lambda root: f"large:{write_npz(root)}",
    "stretch_v": lambda root: f"stretch_v:{write_npz(root)}",
}
