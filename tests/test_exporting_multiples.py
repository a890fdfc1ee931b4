"""A stored trial exported with sizes that are multiples of a number: another network, measured."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

import resnas
from resnas.datasets._base import AbstractDataset, Split, load
from resnas.errors import ArchitectureMismatch, ExportFailed, InvalidSpec, UnknownName
from resnas.exporting import export_trial
from resnas.manifest import Manifest
from resnas.results import TrialResult, TrialState
from resnas.searching import search
from resnas.spec import JobSpec
from resnas.trial import build_space

SIZE = (1, 32, 32)
FORMATS = ("safetensors",)
SPEC = JobSpec.model_validate(
    {
        "backbone": "net_without_a_name",
        "dataset": "digits",
        "budget_gmacs": 0.01,
        "trials": 1,
        "training": {"epochs": 3, "lr": 0.3, "warmup": 0.0, "settle": 0.3, "arch_lr": 0.2},
    }
)


class Own(nn.Module):
    """A network that the program knows by no name, with a site that has no weights."""

    def __init__(self, num_classes: int, input_size: tuple[int, int, int]) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(input_size[0], 8, 3, padding=1), nn.BatchNorm2d(8))
        self.pool = nn.MaxPool2d(2)
        self.down = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(16)
        self.last = nn.Conv2d(16, 16, 3, stride=2, padding=1)
        self.head = nn.Linear(16, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(torch.relu(self.stem(x)))
        x = torch.relu(self.norm(self.down(x)))
        return self.head(torch.relu(self.last(x)).mean((2, 3)))


@dataclass(frozen=True)
class Trained:
    """A trial, its weights, and what it was trained on."""

    result: TrialResult
    weights: bytes
    digits: AbstractDataset

    def export(self, directory: Path, **changed: Any) -> Manifest:
        """At multiples of 8, with all that is needed, but for what is `changed`."""
        given: dict[str, Any] = {
            "architecture": self.result.architecture,
            "weights": self.weights,
            "formats": FORMATS,
            "result": self.result,
            "builder": Own,
            "multiple_of": 8,
            "dataset": self.digits,
        }
        return export_trial(directory=directory, **(given | changed))


@pytest.fixture(scope="module")
def digits() -> AbstractDataset:
    return load("digits", Path())


@pytest.fixture(scope="module")
def trained(digits: AbstractDataset) -> Trained:
    found = search(SPEC, backbone=Own)
    (result,) = found.trials
    assert result.state is TrialState.COMPLETE, result.reason
    return Trained(result, found.artifacts.read(result.weights), digits)


@pytest.fixture(scope="module")
def exported(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    folder = tmp_path_factory.mktemp("exported") / "new"
    return folder, trained.export(folder)


def accuracy(network: nn.Module, digits: AbstractDataset, split: Split) -> float:
    """Share of right answers, picture after picture, in nothing but torch."""
    right = 0
    with torch.no_grad():
        for number in range(len(split)):
            picture = split.images[torch.tensor([number])].double() / 255
            x = ((picture - digits.mean[0]) / digits.std[0]).float()
            right += int(network(x).argmax() == split.labels[number])
    return right / len(split)


def test_the_accuracy_in_the_manifest_is_that_of_the_files(trained, exported, digits):
    folder, manifest = exported
    network = resnas.load(folder, Own(10, SIZE))
    one = 1.1 / len(digits.val)
    assert manifest.val_accuracy == pytest.approx(accuracy(network, digits, digits.val), abs=one)
    assert manifest.test_accuracy == pytest.approx(accuracy(network, digits, digits.test), abs=one)
    assert abs(manifest.val_accuracy - trained.result.val_accuracy) > 2 * one
    assert Manifest.model_validate_json((folder / "manifest.json").read_text()) == manifest


def test_the_manifest_keeps_what_the_trial_came_to_beside_it(trained, exported):
    _, manifest = exported
    result = trained.result
    assert manifest.multiple_of == 8
    assert manifest.trained_val_accuracy == result.val_accuracy
    assert manifest.trained_test_accuracy == result.test_accuracy
    assert manifest.seed == result.seed


def test_every_learned_size_becomes_a_multiple_and_the_costs_follow(trained, exported):
    _, manifest = exported
    before = trained.result.architecture.sizes
    assert any(n % 8 for size in before.values() for n in size)
    assert manifest.sizes.keys() == before.keys() == {"pool", "down", "last"}
    assert all(n % 8 == 0 for size in manifest.sizes.values() for n in size)
    space = build_space("net_without_a_name", 10, SIZE, "dynopool", builder=Own)
    space.set_sizes({group.name: manifest.sizes[group.name] for group in space.groups})
    assert manifest.gmacs == int(space.cost("macs").detach()) / 1e9
    assert manifest.gmacs != trained.result.gmacs
    assert manifest.params == trained.result.params


def test_weights_and_statistics_are_those_of_the_trial(trained, exported):
    folder, _ = exported
    there = safetensors.torch.load_file(folder / "model.safetensors")
    kept = safetensors.torch.load(trained.weights)
    own = {name for name, _ in Own(10, SIZE).named_parameters()} | {"norm.running_mean"}
    assert own <= there.keys() & kept.keys()
    assert all(torch.equal(there[name], kept[name]) for name in own)


def test_a_multiple_of_one_is_the_trained_network_and_needs_no_data(trained, tmp_path):
    manifest = trained.export(tmp_path, multiple_of=1, dataset=None)
    assert manifest.sizes == trained.result.architecture.sizes
    assert (manifest.multiple_of, manifest.trained_val_accuracy) == (1, None)
    assert manifest.val_accuracy == trained.result.val_accuracy


def test_what_is_not_known_of_the_trial_is_left_out(trained, exported, tmp_path):
    manifest = trained.export(tmp_path, result=None)
    assert manifest.val_accuracy == exported[1].val_accuracy
    unknown = (manifest.trained_val_accuracy, manifest.trained_test_accuracy, manifest.seed)
    assert unknown == (None, None, None)


def test_data_without_a_test_split_are_measured_on_the_others(trained, exported, digits, tmp_path):
    bare = copy.copy(digits)
    bare.test = None
    manifest = trained.export(tmp_path, dataset=bare)
    assert manifest.val_accuracy == exported[1].val_accuracy
    assert manifest.test_accuracy is None


def changed(digits: AbstractDataset, **facts: Any) -> AbstractDataset:
    """The same pictures said to be others."""
    found = copy.copy(digits)
    vars(found).update(facts)
    return found


@pytest.mark.parametrize(
    ("refused", "kind", "words"),
    [
        ({"dataset": None}, ExportFailed, "multiples of 8 .*not known.* Pass the data set that"),
        ({"builder": None}, UnknownName, "there is no 'net_without_a_name'"),
        ({"multiple_of": 0}, InvalidSpec, "multiple_of: it is 0. .*for example 8"),
        ({"multiple_of": 200}, ArchitectureMismatch, "200×200.*Choose another size"),
        ({"weights": b""}, ArchitectureMismatch, "weights: .*Load the safetensors file that was"),
        ({"formats": ("onx",)}, UnknownName, "'onnx'"),
    ],
)
def test_what_cannot_be_exported_is_refused_with_the_next_step(
    trained, tmp_path, refused, kind, words
):
    with pytest.raises(kind, match=words):
        trained.export(tmp_path / "new", **refused)
    assert list(tmp_path.iterdir()) == []


def test_a_weight_that_is_missing_is_refused(trained, tmp_path):
    weights = safetensors.torch.load(trained.weights)
    del weights["last.weight"]
    with pytest.raises(ArchitectureMismatch, match="not those of net_without_a_name"):
        trained.export(tmp_path / "new", weights=safetensors.torch.save(weights))
    assert list(tmp_path.iterdir()) == []


def test_the_result_of_another_architecture_is_refused(trained, tmp_path):
    other = trained.result.architecture.model_copy(update={"sizes": {"elsewhere": (8, 8)}})
    result = trained.result.model_copy(update={"number": 5, "architecture": other})
    with pytest.raises(ExportFailed, match="trial 5 trained another architecture"):
        trained.export(tmp_path / "new", result=result)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("facts", [{"input_size": (1, 16, 16)}, {"num_classes": 100}])
def test_data_that_it_was_not_trained_on_are_refused(trained, digits, tmp_path, facts):
    with pytest.raises(ExportFailed, match=r"dataset: .*Pass the data set that it was trained on"):
        trained.export(tmp_path / "new", dataset=changed(digits, **facts))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("resizer", ["dynopool", "diffstride"])
def test_the_file_is_the_network_that_its_space_freezes_at_multiples(resizer, digits, tmp_path):
    """Whatever constants of its sizes the trained network had."""
    space = build_space("vgg_small", 10, SIZE, resizer)
    with torch.no_grad():
        for group in space.groups:
            group.stride.copy_(torch.tensor([1.7, 2.6]))
        for module in space.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_()
    kept = {name: t.contiguous() for name, t in space.freeze().state_dict().items()}
    few = copy.copy(digits)
    few.val, few.test = digits.val.subset(torch.arange(20)), None
    export_trial(
        space.architecture(),
        safetensors.torch.save(kept),
        tmp_path,
        FORMATS,
        multiple_of=4,
        dataset=few,
    )
    x = torch.randn(3, *SIZE)
    wanted = space.freeze(4).eval()(x)
    torch.testing.assert_close(resnas.load(tmp_path)(x), wanted, rtol=1e-5, atol=1e-5)
