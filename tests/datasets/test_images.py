"""Folders of pictures, and what data sets share."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from resnas.datasets._base import load
from resnas.datasets._images import holdout, random_crop, statistics
from resnas.errors import DatasetUnavailable
from tests.contract.test_datasets import pictures, write_folder


def test_pictures_of_different_sizes_become_224_from_their_centre(tmp_path):
    write_folder(tmp_path)
    folder = tmp_path / "pets" / "train" / "cat"
    wide = np.zeros((256, 1000, 3), np.uint8)
    wide[:, 372:628] = 255  # the middle 256 columns
    Image.fromarray(wide).save(folder / "0.png")
    pets = load("imagefolder:pets", tmp_path)
    assert pets.input_size == (3, 224, 224)
    every = [split.images[torch.arange(len(split))] for split in (pets.train, pets.val)]
    darkest = torch.cat(every).flatten(1).amin(dim=1)
    assert darkest.max() == 255  # nothing but the centre is left of the wide one


def test_a_corrupt_picture_is_named(tmp_path):
    write_folder(tmp_path)
    broken = tmp_path / "pets" / "train" / "dog" / "3.png"
    broken.write_bytes(broken.read_bytes()[:200])
    with pytest.raises(DatasetUnavailable, match=r"dog/3\.png"):
        load("imagefolder:pets", tmp_path)


def test_files_that_are_no_pictures_are_passed_over(tmp_path):
    write_folder(tmp_path)
    (tmp_path / "pets" / "train" / "dog" / "notes.txt").write_text("hello")
    assert len(load("imagefolder:pets", tmp_path).train) == 18


def test_a_class_that_train_does_not_have_is_refused(tmp_path):
    write_folder(tmp_path)
    (tmp_path / "pets" / "test" / "fox").mkdir()
    with pytest.raises(DatasetUnavailable, match="train has no class 'fox'"):
        load("imagefolder:pets", tmp_path)


def test_pictures_too_many_for_memory_are_decoded_when_asked_for(tmp_path, monkeypatch):
    name = write_folder(tmp_path)
    in_memory = load(name, tmp_path)
    monkeypatch.setattr("resnas.datasets.imagefolder._IN_MEMORY", 1000)
    lazy = load(name, tmp_path)
    assert not isinstance(lazy.train.images, torch.Tensor)
    index = torch.tensor([5, 0, 5])
    assert torch.equal(lazy.train.images[index], in_memory.train.images[index])
    assert (lazy.mean, lazy.std) == (in_memory.mean, in_memory.std)


@pytest.mark.parametrize(("count", "share"), [(100, 0.1), (7, 0.1), (1797, 0.2), (33, 0.25)])
def test_a_holdout_is_exact_stratified_and_complete(count, share):
    labels = torch.arange(count) % 3
    kept, held = holdout(labels, share)
    assert len(held) == max(1, round(share * count))
    assert sorted([*kept.tolist(), *held.tolist()]) == list(range(count))
    expected = labels.bincount() * len(held) / count
    assert (labels[held].bincount(minlength=3) - expected).abs().max() <= 1


def test_a_random_crop_is_a_window_of_the_padded_picture_perhaps_mirrored():
    images = torch.from_numpy(pictures(64, 3, 6, 5))
    moved = random_crop(images, 2, torch.Generator().manual_seed(0))
    padded = torch.nn.functional.pad(images, (2, 2, 2, 2))
    seen = set()
    for sample, found in zip(padded, moved, strict=True):
        matches = [
            (y, x, mirrored)
            for y in range(5)
            for x in range(5)
            for mirrored in (False, True)
            if torch.equal(found.flip(2) if mirrored else found, sample[:, y : y + 6, x : x + 5])
        ]
        assert matches
        seen.update(matches)
    assert {y for y, _, _ in seen} == {x for _, x, _ in seen} == set(range(5))
    assert {mirrored for _, _, mirrored in seen} == {False, True}


def test_statistics_of_a_constant_channel_can_be_divided_by():
    mean, std = statistics(torch.full((4, 1, 2, 2), 51, dtype=torch.uint8))
    assert mean == pytest.approx((0.2,))
    assert std == pytest.approx((1 / 255,))
