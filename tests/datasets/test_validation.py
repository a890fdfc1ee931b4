"""The validation split: brought along, taken from train, or impossible; and parts of data sets."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from resnas.datasets._base import facts, load
from resnas.errors import DatasetUnavailable
from tests.datasets.layouts import pictures, write_fashion, write_files, write_imagenet, write_tiny


def write_pictures(root, count: int, **more: np.ndarray) -> None:
    arrays = {"x_train": pictures(count, 8, 8), "y_train": np.arange(count) % 2}
    np.savez(root / "few.npz", **arrays, **more)


def write_pets(root, count: int) -> None:
    write_files(root / "pets" / "train" / "cat", [f"{i}.png" for i in range(count - 2)], 8, 8)
    write_files(root / "pets" / "train" / "dog", ["0.png", "1.png"], 8, 8)


@pytest.mark.parametrize(
    ("write", "name"), [(write_pictures, "npz:few"), (write_pets, "imagefolder:pets")]
)
def test_train_too_small_for_a_validation_split_is_refused_and_says_what_to_bring(
    write, name, tmp_path
):
    write(tmp_path, 5)
    for ask in (load, facts):
        with pytest.raises(
            DatasetUnavailable, match="a tenth of its 5 training pictures"
        ) as caught:
            ask(name, tmp_path)
        assert caught.value.place == name
        assert "Bring a validation split, or more" in caught.value.next_step
        assert "6 at least" in caught.value.next_step


@pytest.mark.parametrize(
    ("write", "name"), [(write_pictures, "npz:few"), (write_pets, "imagefolder:pets")]
)
def test_six_pictures_are_enough(write, name, tmp_path):
    write(tmp_path, 6)
    few = load(name, tmp_path)
    assert (len(few.train), len(few.val)) == (5, 1)


def test_pictures_that_bring_a_validation_split_may_be_few(tmp_path):
    write_pictures(tmp_path, 4, x_val=pictures(2, 8, 8), y_val=np.arange(2))
    few = load("npz:few", tmp_path)
    assert (len(few.train), len(few.val)) == (4, 2)
    write_pets(tmp_path, 4)
    write_files(tmp_path / "pets" / "val" / "cat", ["0.png"], 8, 8)
    pets = load("imagefolder:pets", tmp_path)
    assert (len(pets.train), len(pets.val)) == (4, 1)


def test_published_sets_cut_down_too_far_are_refused(tmp_path):
    write_fashion(tmp_path)
    raw = tmp_path / "FashionMNIST" / "raw"
    head = bytes([0, 0, 8, 3]) + np.array((5, 28, 28), ">i4").tobytes()
    (raw / "train-images-idx3-ubyte").write_bytes(head + pictures(5, 28, 28).tobytes())
    (raw / "train-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 5]) + bytes(5))
    write_tiny(tmp_path)
    write_imagenet(tmp_path)
    for file in tmp_path.glob("**/*_*.JPEG"):
        if file.stem.rpartition("_")[2] not in ("0", "val"):
            file.unlink()  # leaves one of each class
    val = tmp_path / "tiny-imagenet-200" / "val" / "val_annotations.txt"
    val.write_text(val.read_text().splitlines()[0])
    for name in ("fashion_mnist", "tiny_imagenet", "imagenet"):
        with pytest.raises(DatasetUnavailable, match="training pictures is none") as caught:
            load(name, tmp_path)
        assert caught.value.place == name


def test_a_part_of_a_set_too_small_is_refused_as_the_whole_is(tmp_path):
    write_pictures(tmp_path, 5)
    for name in ("part:0.5:npz:few", "tile:npz:few"):
        with pytest.raises(DatasetUnavailable, match="npz:few: it has no validation split"):
            facts(name, tmp_path)


def test_a_part_keeps_its_share_stratified_and_the_same_each_time(tmp_path):
    labels = np.arange(20_000) % 4
    np.savez(tmp_path / "many.npz", x_train=pictures(20_000, 2, 2), y_train=labels)
    whole, part, again = (
        load(name, tmp_path) for name in ("npz:many", "part:0.1:npz:many", "part:0.1:npz:many")
    )
    assert (len(part.train), len(part.val)) == (1800, 1000)
    assert part.train.labels.bincount().tolist() == [450] * 4
    assert (part.mean, part.std) == (whole.mean, whole.std)
    assert torch.equal(part.train.images, again.train.images)


@pytest.mark.parametrize("name", ["part:0:digits", "part:1.1:digits", "part:x:digits", "part:0.1"])
def test_a_share_that_is_none_is_refused(name, tmp_path):
    for ask in (load, facts):
        with pytest.raises(DatasetUnavailable, match="which share of which data set"):
            ask(name, tmp_path)
