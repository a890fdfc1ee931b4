from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from resnas.catalog import datasets
from resnas.datasets._base import AbstractDataset, facts, load
from resnas.errors import DatasetUnavailable, UnknownName
from tests.datasets.layouts import WRITERS, pictures, write_fashion, write_folder, write_npz

# torchvision accepts CIFAR only with the published checksums: no small files of our own
PUBLISHED_ONLY = {"cifar10", "cifar100"}


@pytest.fixture(scope="module", params=sorted(WRITERS))
def stored(request: pytest.FixtureRequest, tmp_path_factory) -> tuple[str, Path]:
    root = tmp_path_factory.mktemp("data")
    return WRITERS[request.param](root), root


@pytest.fixture(scope="module")
def dataset(stored: tuple[str, Path]) -> AbstractDataset:
    return load(*stored)


def test_every_data_set_of_the_catalogue_is_tested_here():
    assert set(datasets.names()) == set(WRITERS) | PUBLISHED_ONLY


@pytest.mark.parametrize("name", datasets.names())
def test_every_data_set_says_what_it_is_in_one_line(name):
    assert datasets[name].about
    assert "\n" not in datasets[name].about


def test_facts_are_those_of_the_loaded_data(stored, dataset):
    assert facts(*stored) == (dataset.num_classes, dataset.input_size)


def test_every_split_holds_uint8_pictures_and_int64_labels_of_the_stated_form(dataset):
    for split in (dataset.train, dataset.val, dataset.test):
        batch = split.images[torch.arange(2)]
        assert batch.dtype == torch.uint8
        assert batch.shape == (2, *dataset.input_size)
        assert split.labels.dtype == torch.int64
        assert len(split) == len(split.images) == len(split.labels)
        assert split.labels.min() >= 0
        assert split.labels.max() < dataset.num_classes


def test_statistics_normalise_the_training_pictures(stored, dataset):
    name, root = stored
    # a part keeps those of the whole
    train = load("digits", root).train if name.startswith("part:") else dataset.train
    images = train.images[torch.arange(len(train))].double() / 255
    mean, std = (torch.tensor(x).view(1, -1, 1, 1) for x in (dataset.mean, dataset.std))
    normal = (images - mean) / std
    assert normal.mean(dim=(0, 2, 3)).abs().max() < 1e-5
    assert (normal.std(dim=(0, 2, 3), correction=0) - 1).abs().max() < 1e-4


def test_loading_twice_gives_the_same_splits(stored, dataset):
    again = load(*stored)
    for one, other in ((dataset.train, again.train), (dataset.val, again.val)):
        assert torch.equal(one.labels, other.labels)
        every = torch.arange(len(one))
        assert torch.equal(one.images[every], other.images[every])


def test_augmentation_keeps_form_and_repeats_with_its_generator(dataset):
    batch = dataset.train.images[torch.arange(8)]
    first, again, other = (
        dataset.augment(batch, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert first.shape == batch.shape
    assert first.dtype == batch.dtype
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first, batch)


def test_digits_are_split_stratified_without_overlap():
    digits = load("digits", Path())
    assert [len(s) for s in (digits.train, digits.val, digits.test)] == [1078, 360, 359]
    for split in (digits.train, digits.val, digits.test):
        share = split.labels.bincount() / len(split)
        assert (share - 0.1).abs().max() < 0.01
    rows = torch.cat([s.images.flatten(1) for s in (digits.train, digits.val, digits.test)])
    assert len(rows.unique(dim=0)) == 1797


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "fashion_mnist", "fgvc_aircraft"])
def test_missing_files_name_the_place_and_the_command_that_fetches_them(name, tmp_path):
    for ask in (load, facts):
        with pytest.raises(DatasetUnavailable) as caught:
            ask(name, tmp_path)
        message = str(caught.value)
        assert str(tmp_path) in message
        assert f"('{tmp_path}', download=True)" in message
        command = message.partition('python -c "')[2].rstrip('"')
        compile(command, "command", "exec")
        reader = command.partition("datasets.")[2].partition("(")[0]
        assert reader.lower() == name.replace("_", "")


@pytest.mark.parametrize(
    ("name", "found", "fetch"),
    [
        ("tiny_imagenet", "tiny-imagenet-200", "cs231n.stanford.edu/tiny-imagenet-200.zip"),
        ("imagenet", "imagenet/train", "https://image-net.org"),
    ],
)
def test_missing_files_name_the_place_and_where_to_get_them(name, found, fetch, tmp_path):
    for ask in (load, facts):
        with pytest.raises(DatasetUnavailable) as caught:
            ask(name, tmp_path)
        assert str(tmp_path / found) in caught.value.found
        assert fetch in caught.value.next_step
        assert "RESNAS_DATASETS_DIR" in caught.value.next_step


@pytest.mark.parametrize("name", sorted(PUBLISHED_ONLY))
def test_files_other_than_the_published_ones_are_refused(name, tmp_path):
    for file in datasets[name].files():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(b"something else")
    with pytest.raises(DatasetUnavailable, match="cannot be read"):
        load(name, tmp_path)


def test_a_truncated_idx_file_is_refused(tmp_path):
    name = write_fashion(tmp_path)
    file = tmp_path / "FashionMNIST/raw/train-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(DatasetUnavailable, match="fashion_mnist"):
        load(name, tmp_path)


BAD_NAMES = ["../x", "a/b", "..\\x", "a\0b", "/etc/passwd"]


@pytest.mark.parametrize("argument", BAD_NAMES)
@pytest.mark.parametrize("entry", ["npz", "imagefolder"])
def test_a_name_cannot_leave_the_data_folder(entry, argument, tmp_path):
    for ask in (load, facts):
        with pytest.raises(DatasetUnavailable, match="not a plain name"):
            ask(f"{entry}:{argument}", tmp_path)


def test_the_parent_folder_is_no_data_set(tmp_path):
    with pytest.raises(DatasetUnavailable, match="not a plain name"):
        facts("imagefolder:..", tmp_path)


def test_a_link_cannot_leave_the_data_folder(tmp_path):
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    root.mkdir()
    write_npz(outside)
    write_folder(outside)
    (root / "mine.npz").symlink_to(outside / "mine.npz")
    (root / "pets").symlink_to(outside / "pets")
    for name in ("npz:mine", "imagefolder:pets"):
        with pytest.raises(DatasetUnavailable, match="leads out"):
            facts(name, root)


@pytest.mark.parametrize("name", ["npz", "npz:", "digits:x", "cifar10:"])
def test_a_name_of_the_wrong_form_says_the_right_one(name, tmp_path):
    with pytest.raises(DatasetUnavailable, match="not of the form"):
        load(name, tmp_path)


def test_an_unknown_name_is_suggested(tmp_path):
    with pytest.raises(UnknownName, match="Did you mean 'digits'"):
        load("digit", tmp_path)


def good_arrays() -> dict[str, np.ndarray]:
    return {"x_train": pictures(20, 8, 8, 3), "y_train": np.arange(20) % 2}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"x_train": None}, "x_train: is missing"),
        ({"y_train": None}, "y_train: is missing"),
        ({"x_train": np.zeros((20, 8, 8, 3))}, "x_train: is float64"),
        ({"x_train": pictures(20, 3, 8, 8)}, "x_train: is uint8"),
        ({"y_train": np.arange(19) % 2}, "y_train: is int64 \\(19,\\)"),
        ({"y_train": np.zeros((20, 10), int)}, "y_train: is int64"),
        ({"y_train": np.linspace(0, 1, 20)}, "y_train: is float64"),
        ({"y_train": np.arange(20) - 1}, "the label -1"),
        ({"y_train": np.zeros(20, int)}, "single class"),
        ({"y_train": np.array([object()] * 20)}, "y_train: is object"),
        ({"x_test": pictures(4, 8, 9, 3), "y_test": np.arange(4) % 2}, "x_test: its pictures"),
        ({"x_test": pictures(4, 8, 8, 3), "y_test": np.arange(4)}, "y_test: has labels beyond 1"),
        ({"x_val": pictures(4, 8, 8, 3)}, "y_val: is missing"),
    ],
)
def test_an_archive_of_another_form_is_refused_with_the_array_named(change, found, tmp_path):
    arrays = {k: v for k, v in (good_arrays() | change).items() if v is not None}
    np.savez(tmp_path / "mine.npz", **arrays)
    for ask in (load, facts):
        with pytest.raises(DatasetUnavailable, match=found):
            ask("npz:mine", tmp_path)


def test_an_archive_that_is_none_is_refused(tmp_path):
    (tmp_path / "mine.npz").write_bytes(gzip.compress(b"not a zip"))
    with pytest.raises(DatasetUnavailable, match="cannot be read"):
        facts("npz:mine", tmp_path)


def test_facts_of_an_archive_read_no_picture(tmp_path):
    np.savez(tmp_path / "mine.npz", **good_arrays())
    content = {}
    with zipfile.ZipFile(tmp_path / "mine.npz") as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content["x_train.npy"] = content["x_train.npy"][:128]  # the header alone
    with zipfile.ZipFile(tmp_path / "mine.npz", "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    assert facts("npz:mine", tmp_path) == (2, (3, 8, 8))
    with pytest.raises(DatasetUnavailable, match="x_train: cannot be read"):
        load("npz:mine", tmp_path)


def test_an_archive_with_its_own_validation_and_without_test_is_used_so(tmp_path):
    grey = {"x_train": pictures(20, 8, 8), "y_train": np.arange(20) % 2}
    own = pictures(6, 8, 8)
    np.savez(tmp_path / "mine.npz", **grey, x_val=own, y_val=np.arange(6) % 2)
    mine = load("npz:mine", tmp_path)
    assert mine.input_size == (1, 8, 8)
    assert torch.equal(mine.val.images[torch.arange(6)], torch.from_numpy(own)[:, None])
    assert len(mine.train) == 20
    assert mine.test is None
