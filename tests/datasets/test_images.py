"""Folders of pictures, and what data sets share."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from resnas.datasets._base import load
from resnas.datasets._images import holdout, random_crop, random_resized_crop, statistics
from resnas.errors import DatasetUnavailable
from tests.datasets.layouts import pictures, write_folder


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
    monkeypatch.setattr("resnas.datasets._base.IN_MEMORY", 1000)
    lazy = load(name, tmp_path)
    assert not isinstance(lazy.train.images, torch.Tensor)
    index = torch.tensor([5, 0, 5])
    assert torch.equal(lazy.train.images[index], in_memory.train.images[index])
    assert (lazy.mean, lazy.std) == (in_memory.mean, in_memory.std)


@pytest.mark.parametrize(("count", "share"), [(100, 0.1), (7, 0.1), (1797, 0.2), (33, 0.25)])
def test_a_holdout_is_exact_stratified_and_complete(count, share):
    labels = torch.arange(count) % 3
    kept, held = holdout(labels, share)
    assert len(held) == round(share * count)
    assert sorted([*kept.tolist(), *held.tolist()]) == list(range(count))
    expected = labels.bincount() * len(held) / count
    assert (labels[held].bincount(minlength=3) - expected).abs().max() <= 1


def test_a_holdout_is_that_of_seed_0_unless_another_is_asked_for():
    labels = torch.arange(200) % 4
    _, held = holdout(labels, 0.1)
    assert torch.equal(held, holdout(labels, 0.1, seed=0)[1])
    assert not torch.equal(held, holdout(labels, 0.1, seed=1)[1])


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


class Dots:
    """Pictures of one pixel, made when asked for; the places asked for are kept."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.asked: list[int] = []

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: torch.Tensor) -> torch.Tensor:
        self.asked += index.tolist()
        return (index % 256).to(torch.uint8).view(-1, 1, 1, 1)


@pytest.mark.parametrize(("count", "looked_at"), [(3000, 3000), (9000, 4096)])
def test_statistics_look_at_4096_pictures_where_they_are_not_in_memory(count, looked_at):
    dots = Dots(count)
    found = statistics(dots)
    assert len(set(dots.asked)) == len(dots.asked) == looked_at
    steps = np.diff(dots.asked)
    assert steps.max() - steps.min() <= 1  # evenly spaced
    assert dots.asked[-1] >= count - steps.max()
    values = np.array(dots.asked) % 256 / 255
    assert found == (pytest.approx((values.mean(),)), pytest.approx((values.std(),)))


def places(count: int, height: int, width: int) -> torch.Tensor:
    """Pictures whose channels are the row and the column that each pixel's centre has."""
    rows, columns = torch.arange(height) + 0.5, torch.arange(width) + 0.5
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij")).expand(count, -1, -1, -1)


def test_a_random_part_has_8_to_100_percent_of_the_area_and_sides_of_3_to_4():
    height, width = 48, 40
    found = random_resized_crop(places(2000, height, width), torch.Generator().manual_seed(0))
    tall = (found[:, 0, 30, 20] - found[:, 0, 20, 20]) / 10 * height
    wide = (found[:, 1, 24, 30] - found[:, 1, 24, 20]) / 10 * width
    area = tall * wide.abs() / (height * width)
    assert area.min() > 0.08 * 0.999
    assert area.max() <= 1.001
    assert area.min() < 0.1
    assert area.max() > 0.95
    assert abs(area.mean() - 0.54) < 0.03
    inside = (tall < 0.99 * height) & (wide.abs() < 0.99 * width)
    aspect = wide.abs()[inside] / tall[inside]
    assert aspect.min() > 0.749
    assert aspect.max() < 1.334
    assert aspect.min() < 0.77
    assert aspect.max() > 1.3
    assert 0.45 < (wide < 0).float().mean() < 0.55


def test_a_random_part_stays_within_the_picture_and_reaches_every_border():
    height, width = 48, 40
    found = random_resized_crop(places(2000, height, width), torch.Generator().manual_seed(1))
    for axis, length in ((0, height), (1, width)):
        place = found[:, axis]
        assert place.min() >= 0.5  # the first centre
        assert place.max() <= length - 0.5
        centre = place.mean(dim=(1, 2))
        assert abs(centre.mean() - length / 2) < 0.5
        assert centre.min() < 0.25 * length
        assert centre.max() > 0.75 * length


def test_a_random_part_of_one_colour_has_that_colour_and_the_dtype_is_kept():
    images = torch.full((8, 3, 9, 9), 201, dtype=torch.uint8)
    assert torch.equal(random_resized_crop(images, torch.Generator().manual_seed(0)), images)
