"""Data sets made of another one's pictures, and pictures at other sizes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from resnas.datasets._base import Images, Split, facts, load
from resnas.datasets._changed import scaled
from resnas.datasets._resized import resized
from resnas.datasets.stretch_v import _drawn
from resnas.errors import DatasetUnavailable, UnknownName
from tests.datasets.layouts import pictures, write_folder, write_npz

VARIANTS = ("tile", "large", "stretch_v")


def everything(images: Images) -> Tensor:
    return images[torch.arange(len(images))]


def splits(dataset) -> list[Split]:
    return [dataset.train, dataset.val, dataset.test]


@pytest.fixture
def lazily(monkeypatch):
    """No split fits in memory."""
    monkeypatch.setattr("resnas.datasets._base.IN_MEMORY", 0)


@pytest.mark.parametrize("size", [(6, 5), (24, 20), (12, 10), (5, 31)])
def test_scaling_is_that_of_pillow_to_one_grey_level(size):
    images = torch.from_numpy(pictures(4, 3, 12, 10))
    for found, image in zip(scaled(images, size), images, strict=True):
        picture = Image.fromarray(image.permute(1, 2, 0).numpy())
        other = picture.resize(size[::-1], Image.Resampling.BILINEAR)
        difference = found.permute(1, 2, 0).int() - torch.from_numpy(np.array(other)).int()
        assert difference.abs().max() <= 1


def test_scaled_pictures_are_rounded_not_cut_off():
    row = torch.tensor([0, 3], dtype=torch.uint8).view(1, 1, 1, 2)
    assert scaled(row, (1, 4)).flatten().tolist() == [0, 1, 2, 3]  # of 0, 0.75, 2.25, 3


def test_tile_is_16_equal_copies_of_half_the_size(tmp_path):
    name = write_npz(tmp_path)
    source, tiled = load(name, tmp_path), load(f"tile:{name}", tmp_path)
    assert tiled.input_size == (3, 24, 20)
    for before, after in zip(splits(source), splits(tiled), strict=True):
        half = scaled(everything(before.images), (6, 5))
        found = everything(after.images)
        assert found.shape[2:] == (24, 20)
        for top in range(0, 24, 6):
            for left in range(0, 20, 5):
                assert torch.equal(found[:, :, top : top + 6, left : left + 5], half)


def test_large_is_one_copy_of_tile_enlarged(tmp_path):
    name = write_npz(tmp_path)
    tiled, large = load(f"tile:{name}", tmp_path), load(f"large:{name}", tmp_path)
    assert large.input_size == tiled.input_size
    for copies, one in zip(splits(tiled), splits(large), strict=True):
        copy = everything(copies.images)[:, :, :6, :5]
        assert torch.equal(everything(one.images), scaled(copy, (24, 20)))


def test_stretch_v_is_a_window_of_the_stretched_picture_at_many_places(tmp_path):
    name = write_npz(tmp_path)
    source, stretched = load(name, tmp_path), load(f"stretch_v:{name}", tmp_path)
    assert stretched.input_size == source.input_size
    tops = []
    for before, after in zip(splits(source), splits(stretched), strict=True):
        tall = interpolate(everything(before.images).double(), (24, 10), mode="bilinear")
        windows = tall.round().unfold(2, 12, 1).permute(0, 2, 1, 4, 3)  # (N, 13, 3, 12, 10)
        apart = (windows - everything(after.images)[:, None]).abs().flatten(2).amax(dim=2)
        assert apart.amin(dim=1).max() <= 1  # the rounding of single precision
        tops += apart.argmin(dim=1).tolist()
    assert min(tops) == 0
    assert max(tops) == 12
    assert len(set(tops)) >= 8


def test_windows_of_stretch_v_are_drawn_evenly():
    drawn = _drawn(torch.arange(100_000), 33)
    expected = 100_000 / 33
    chi_squared = ((drawn.bincount(minlength=33) - expected) ** 2 / expected).sum()
    assert drawn.max() == 32
    assert chi_squared < 63  # exceeded by one fair draw in a thousand (32 degrees of freedom)
    neighbours = torch.corrcoef(torch.stack((drawn[1:], drawn[:-1])).double())[0, 1]
    assert neighbours.abs() < 0.02


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_a_picture_becomes_does_not_depend_on_who_asks_with_it(variant, tmp_path, lazily):
    dataset = load(f"{variant}:{write_npz(tmp_path)}", tmp_path)
    index = torch.tensor([7, 0, 3, 7])
    whole = everything(dataset.train.images)
    assert torch.equal(dataset.train.images[index], whole[index])
    for place in (0, 3, 7):
        assert torch.equal(dataset.train.images[torch.tensor([place])][0], whole[place])


@pytest.mark.parametrize("form", ["npz", "folder"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_of_pictures_that_do_not_fit_in_memory_is_the_same(
    variant, form, tmp_path, monkeypatch
):
    source = write_npz(tmp_path) if form == "npz" else write_folder(tmp_path)
    held = load(f"{variant}:{source}", tmp_path)
    monkeypatch.setattr("resnas.datasets._base.IN_MEMORY", 0)
    lazy = load(f"{variant}:{source}", tmp_path)
    assert (lazy.mean, lazy.std) == (held.mean, held.std)
    for one, other in zip(splits(held), splits(lazy), strict=True):
        assert isinstance(one.images, Tensor)
        assert not isinstance(other.images, Tensor)
        assert torch.equal(one.images, everything(other.images))
        assert torch.equal(one.labels, other.labels)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_has_the_classes_labels_and_augmentation_of_its_source(variant, tmp_path):
    source, changed = load("digits", tmp_path), load(f"{variant}:digits", tmp_path)
    assert changed.num_classes == source.num_classes
    for before, after in zip(splits(source), splits(changed), strict=True):
        assert torch.equal(before.labels, after.labels)
    batch = changed.train.images[torch.arange(16)]
    ours, theirs = (
        dataset.augment(batch, torch.Generator().manual_seed(3)) for dataset in (changed, source)
    )
    assert torch.equal(ours, theirs)


def test_variants_of_variants_are_made_one_after_the_other(tmp_path):
    name = write_npz(tmp_path)
    stretched = load(f"stretch_v:{name}", tmp_path)
    both = load(f"tile:stretch_v:{name}", tmp_path)
    assert facts(f"tile:stretch_v:{name}", tmp_path) == (4, (3, 24, 20)) == (4, both.input_size)
    half = scaled(everything(stretched.train.images), (6, 5))
    assert torch.equal(everything(both.train.images), half.repeat(1, 1, 4, 4))
    assert load(f"large:tile:{name}", tmp_path).input_size == (3, 48, 40)


def test_a_part_of_a_variant_and_a_variant_of_a_part_can_be_had(tmp_path):
    part = load("part:0.5:tile:digits", tmp_path)
    assert facts("part:0.5:tile:digits", tmp_path) == (10, part.input_size) == (10, (1, 64, 64))
    assert len(part.train) == 1000
    assert len(load("tile:part:0.5:digits", tmp_path).train) == 1000


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_unknown_source_is_suggested(variant, tmp_path):
    for ask in (load, facts):
        with pytest.raises(UnknownName, match="Did you mean 'cifar10'"):
            ask(f"{variant}:cifar01", tmp_path)


def test_an_unknown_variant_is_suggested(tmp_path):
    with pytest.raises(UnknownName, match="Did you mean 'stretch_v'"):
        facts("stretch:digits", tmp_path)


@pytest.mark.parametrize("name", ["tile", "large:", "stretch_v:npz"])
def test_a_variant_of_nothing_says_the_right_form(name, tmp_path):
    with pytest.raises(DatasetUnavailable, match="not of the form"):
        facts(name, tmp_path)


@pytest.mark.parametrize("variant", VARIANTS)
def test_pictures_too_small_to_be_changed_are_refused(variant, tmp_path):
    np.savez(tmp_path / "dots.npz", x_train=pictures(20, 7, 9), y_train=np.arange(20) % 2)
    for ask in (load, facts):
        with pytest.raises(DatasetUnavailable, match=f"{variant}:npz:dots: pictures of 7×9"):
            ask(f"{variant}:npz:dots", tmp_path)


def test_pictures_that_would_become_too_large_are_refused_before_they_are_made(tmp_path):
    assert facts("tile:" * 5 + "digits", tmp_path) == (10, (1, 1024, 1024))
    for ask in (load, facts):
        with pytest.raises(DatasetUnavailable, match="would become 2048×2048"):
            ask("tile:" * 6 + "digits", tmp_path)


@pytest.mark.parametrize("size", [(8, 8), (12, 10), (30, 17)])
def test_resized_pictures_are_scaled_and_all_else_stays(size, tmp_path):
    source = load(write_npz(tmp_path), tmp_path)
    other = resized(source, size)
    assert other.input_size == (3, *size)
    assert (other.mean, other.std) == (source.mean, source.std)
    assert other.num_classes == source.num_classes
    for before, after in zip(splits(source), splits(other), strict=True):
        assert torch.equal(before.labels, after.labels)
        assert torch.equal(everything(after.images), scaled(everything(before.images), size))
    assert source.input_size == (3, 12, 10)
    assert source.train.images.shape[2:] == (12, 10)


def test_resized_pictures_that_do_not_fit_in_memory_are_the_same(tmp_path, monkeypatch):
    name = write_folder(tmp_path)
    held = resized(load(name, tmp_path), (9, 40))
    monkeypatch.setattr("resnas.datasets._base.IN_MEMORY", 0)
    lazy = resized(load(name, tmp_path), (9, 40))
    for one, other in zip(splits(held), splits(lazy), strict=True):
        assert not isinstance(other.images, Tensor)
        assert torch.equal(one.images, everything(other.images))


def test_pictures_that_fit_in_memory_only_when_smaller_are_held_then(tmp_path, monkeypatch):
    monkeypatch.setattr("resnas.datasets._base.IN_MEMORY", 36 * 3 * 10 * 10)
    source = load(write_npz(tmp_path), tmp_path)  # 36 of 12 × 10
    assert not isinstance(source.train.images, Tensor)
    assert isinstance(resized(source, (10, 10)).train.images, Tensor)


def test_a_set_without_test_has_none_when_changed(tmp_path):
    np.savez(tmp_path / "few.npz", x_train=pictures(20, 8, 8), y_train=np.arange(20) % 2)
    assert load("tile:npz:few", tmp_path).test is None
    assert load("part:0.5:npz:few", tmp_path).test is None
    assert resized(load("npz:few", tmp_path), (16, 16)).test is None
