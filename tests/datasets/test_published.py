"""Data sets whose files lie as they were published."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import FGVCAircraft

from resnas.datasets._base import facts, load
from resnas.errors import DatasetUnavailable
from tests.datasets.layouts import (
    TINY_CLASSES,
    VARIANTS,
    write_aircraft,
    write_imagenet,
    write_tiny,
)


def decoded(path: Path) -> torch.Tensor:
    return torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1)


def test_tiny_imagenets_val_is_its_test_and_labels_are_those_of_the_annotations(tmp_path):
    write_tiny(tmp_path)
    tiny = load("tiny_imagenet", tmp_path)
    assert facts("tiny_imagenet", tmp_path) == (3, (3, 64, 64))
    assert (len(tiny.train), len(tiny.val), len(tiny.test)) == (22, 2, 6)
    order = sorted(TINY_CLASSES)
    assert tiny.test.labels.tolist() == [order.index(TINY_CLASSES[i % 3]) for i in range(6)]
    images = tmp_path / "tiny-imagenet-200" / "val" / "images"
    for number in range(6):
        found = tiny.test.images[torch.tensor([number])][0]
        assert torch.equal(found, decoded(images / f"val_{number}.JPEG"))


def test_tiny_imagenets_training_pictures_have_the_class_of_their_folder(tmp_path):
    write_tiny(tmp_path)
    tiny = load("tiny_imagenet", tmp_path)
    for label, name in enumerate(sorted(TINY_CLASSES)):
        folder = tmp_path / "tiny-imagenet-200" / "train" / name / "images"
        expected = {decoded(path).numpy().tobytes() for path in folder.iterdir()}
        found = {
            image.numpy().tobytes()
            for split in (tiny.train, tiny.val)
            for image in split.images[(split.labels == label).nonzero()[:, 0]]
        }
        assert found == expected


def test_aircraft_has_the_splits_and_labels_that_torchvision_reads(tmp_path):
    write_aircraft(tmp_path)
    aircraft = load("fgvc_aircraft", tmp_path)
    assert facts("fgvc_aircraft", tmp_path) == (len(VARIANTS), (3, 224, 224))
    for name in ("train", "val", "test"):
        theirs = FGVCAircraft(str(tmp_path), split=name)
        ours = getattr(aircraft, name)
        assert ours.labels.tolist() == [label for _, label in theirs]
        picture, _ = theirs[4]  # 90 × 60: the central 7/8 of the shorter side, bilinear
        left = (90 - 52.5) / 2
        box = (left, 3.75, left + 52.5, 56.25)
        expected = picture.resize((224, 224), Image.Resampling.BILINEAR, box=box)
        found = ours.images[torch.tensor([4])][0]
        difference = found.int() - torch.from_numpy(np.array(expected)).permute(2, 0, 1).int()
        assert difference.abs().max() <= 1


def test_imagenets_val_is_its_test_and_a_tenth_of_train_its_val(tmp_path):
    write_imagenet(tmp_path)
    imagenet = load("imagenet", tmp_path)
    assert facts("imagenet", tmp_path) == (2, (3, 224, 224))
    assert (len(imagenet.train), len(imagenet.val), len(imagenet.test)) == (18, 2, 4)
    assert imagenet.val.labels.tolist() == [0, 1]
    assert imagenet.test.labels.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("write", "gone"),
    [
        (write_tiny, "tiny-imagenet-200/wnids.txt"),
        (write_tiny, "tiny-imagenet-200/val/val_annotations.txt"),
        (write_tiny, "tiny-imagenet-200/val/images"),
        (write_tiny, "tiny-imagenet-200/train"),
        (write_aircraft, "fgvc-aircraft-2013b/data/variants.txt"),
        (write_aircraft, "fgvc-aircraft-2013b/data/images_variant_val.txt"),
        (write_aircraft, "fgvc-aircraft-2013b/data/images"),
        (write_imagenet, "imagenet/train"),
        (write_imagenet, "imagenet/val"),
    ],
)
def test_a_missing_piece_is_named(write, gone, tmp_path):
    name = write(tmp_path)
    path = tmp_path / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    for ask in (load, facts):
        with pytest.raises(DatasetUnavailable) as caught:
            ask(name, tmp_path)
        assert caught.value.place == name
        assert str(path) in caught.value.found


def test_a_class_of_tiny_imagenet_without_pictures_is_named(tmp_path):
    write_tiny(tmp_path)
    folder = tmp_path / "tiny-imagenet-200" / "train" / TINY_CLASSES[1]
    shutil.rmtree(folder)
    with pytest.raises(DatasetUnavailable, match=f"no picture in {folder}"):
        load("tiny_imagenet", tmp_path)


@pytest.mark.parametrize("line", ["val_0.JPEG\tn99999999\t0\t0\t1\t1", "val_9.JPEG\tn02124075"])
def test_an_annotation_of_tiny_imagenet_that_names_nothing_is_shown(line, tmp_path):
    write_tiny(tmp_path)
    file = tmp_path / "tiny-imagenet-200" / "val" / "val_annotations.txt"
    file.write_text(f"{line}\n")
    with pytest.raises(DatasetUnavailable, match="names no class") as caught:
        load("tiny_imagenet", tmp_path)
    assert caught.value.place == str(file)
    assert line in caught.value.found


@pytest.mark.parametrize("line", ["0034309 Concorde", "9999999 A300B4", "0034309"])
def test_a_line_of_aircraft_that_names_nothing_is_shown(line, tmp_path):
    write_aircraft(tmp_path)
    file = tmp_path / "fgvc-aircraft-2013b" / "data" / "images_variant_test.txt"
    file.write_text(f"{line}\n")
    with pytest.raises(DatasetUnavailable, match="names no variant") as caught:
        load("fgvc_aircraft", tmp_path)
    assert caught.value.place == str(file)
    assert line in caught.value.found


@pytest.mark.parametrize(
    ("write", "file"),
    [
        (write_tiny, "tiny-imagenet-200/val/val_annotations.txt"),
        (write_aircraft, "fgvc-aircraft-2013b/data/images_variant_train.txt"),
    ],
)
def test_a_list_that_is_empty_or_no_text_is_refused(write, file, tmp_path):
    name = write(tmp_path)
    for content, found in ((b"", "is empty"), (b"\xff\xfe\x00", "cannot be read")):
        (tmp_path / file).write_bytes(content)
        with pytest.raises(DatasetUnavailable, match=found):
            load(name, tmp_path)


def test_imagenet_splits_with_different_classes_are_refused(tmp_path):
    write_imagenet(tmp_path)
    (tmp_path / "imagenet" / "val" / "n02124075").mkdir()
    for ask in (load, facts):
        with pytest.raises(DatasetUnavailable, match="'n02124075' is in train or val alone"):
            ask("imagenet", tmp_path)


def test_imagenets_val_whose_pictures_are_not_sorted_into_classes_is_refused(tmp_path):
    write_imagenet(tmp_path)
    val = tmp_path / "imagenet" / "val"
    for folder in list(val.iterdir()):
        for path in folder.iterdir():
            path.rename(val / path.name)
        folder.rmdir()
    with pytest.raises(DatasetUnavailable, match="it has 0 classes") as caught:
        facts("imagenet", tmp_path)
    assert caught.value.place == str(val)


def test_a_class_of_imagenet_without_pictures_is_named(tmp_path):
    write_imagenet(tmp_path)
    folder = tmp_path / "imagenet" / "train" / "n01440764"
    for path in folder.iterdir():
        path.unlink()
    with pytest.raises(DatasetUnavailable, match="holds no picture") as caught:
        load("imagenet", tmp_path)
    assert caught.value.place == str(folder)


def test_folders_of_published_sets_may_be_links_to_elsewhere(tmp_path):
    write_imagenet(tmp_path / "elsewhere")
    root = tmp_path / "root"
    root.mkdir()
    (root / "imagenet").symlink_to(tmp_path / "elsewhere" / "imagenet")
    assert len(load("imagenet", root).train) == 18
