"""A network that a user brings himself, searched as those of the catalogue are."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import resnas
from resnas.backbones import own_from
from resnas.datasets._base import load
from resnas.errors import InvalidSpec, ResnasError, SearchFailed, UnknownName
from resnas.executors._cluster import connected, quiet
from resnas.observer import Silent
from resnas.results import EpochMetrics, TrialResult, TrialState
from resnas.searching import search
from resnas.spec import JobSpec
from resnas.storage import ArtifactStore
from resnas.trial import rebuild


class MyNet(nn.Module):
    """Two branches that meet, a gate, a flatten: nothing that the program knows by name."""

    def __init__(self, num_classes: int, input_size: tuple[int, int, int]) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(input_size[0], 8, 3, padding=1), nn.ReLU())
        self.left = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.right = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(8, 16, 1))
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(16, 16, 1), nn.Sigmoid())
        self.down = nn.Sequential(nn.Conv2d(16, 16, 3, stride=2, padding=1), nn.ReLU())
        self.head = nn.Linear(16, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = torch.relu(self.left(x) + self.right(x))
        x = self.down(x * self.gate(x))
        return self.head(x.mean((2, 3)))


SPEC = JobSpec.model_validate(
    {
        "backbone": "my_net",
        "dataset": "digits",
        "budget_gmacs": 0.004,
        "trials": 2,
        "training": {"epochs": 2, "batch_size": 256, "warmup": 0.0, "settle": 0.5},
        "search": {"parallel": 2},
    }
)


def _comparable(trials):
    return [trial.model_copy(update={"seconds": 0.0}) for trial in trials]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    torch.set_num_threads(1)
    artifacts = ArtifactStore(tmp_path_factory.mktemp("artifacts"))
    return search(SPEC, backbone=MyNet, artifacts=artifacts)


def test_a_users_own_network_is_converted_in_three_lines():
    space = resnas.convert(MyNet(10, (1, 32, 32)), input_size=(1, 32, 32))
    loss = space(torch.rand(2, 1, 32, 32)).square().sum() + 0.1 * space.cost("macs") / 1e6
    loss.backward()
    assert [set(group.sites) for group in space.groups] == [{"left", "right.0"}, {"down.0"}]
    assert all(group.stride.grad.abs().sum() > 0 for group in space.groups)


def test_a_users_own_network_is_searched_and_stored_under_its_name(whole):
    assert [trial.state for trial in whole.trials] == [TrialState.COMPLETE] * 2
    assert {trial.architecture.backbone for trial in whole.trials} == {"my_net"}
    assert set(whole.trials[0].architecture.sizes) == {"left", "right.0", "down.0"}
    assert whole.front


def test_the_network_of_a_trial_is_built_again_by_whoever_has_the_class(whole):
    trial = whole.trials[0]
    weights = whole.artifacts.read(trial.weights)
    network = rebuild(trial.architecture, weights, MyNet)
    digits = load("digits", Path())
    images = digits.val.images[torch.arange(len(digits.val))].float() / 255
    right = network((images - digits.mean[0]) / digits.std[0]).argmax(1) == digits.val.labels
    assert float(right.float().mean()) == pytest.approx(trial.val_accuracy, abs=0.01)
    with pytest.raises(UnknownName, match="there is no 'my_net'"):
        rebuild(trial.architecture, weights)


@pytest.fixture(scope="module")
def ray() -> Iterator[None]:
    """One Ray for all that needs it: starting it takes longer than the searches."""
    with quiet(), connected(None):
        yield


def test_the_callable_travels_to_the_processes_of_ray(whole, ray, tmp_path):
    width = 8  # a closure travels by its value

    def build(num_classes: int, input_size: tuple[int, int, int]) -> nn.Module:
        assert width == 8
        return MyNet(num_classes, input_size)

    found = search(SPEC, "ray", backbone=build, artifacts=ArtifactStore(tmp_path))
    assert _comparable(found.trials) == _comparable(whole.trials)


OWN = """from tests.test_searching_own import MyNet


def build(num_classes, input_size):
    return MyNet(num_classes, input_size)
"""


@pytest.mark.chaos
def test_the_folder_of_own_backbones_is_known_to_the_processes_of_ray(whole, ray, tmp_path):
    """As an argument: where they run, on other machines perhaps, no environment would say it."""
    (tmp_path / "file.py").write_text(OWN)
    spec = SPEC.model_copy(update={"backbone": "own/file", "trials": 1})
    with own_from(tmp_path):
        (found,) = search(spec, "ray", artifacts=ArtifactStore(tmp_path / "kept")).trials
    assert found.architecture.backbone == "own/file"
    assert found.val_accuracy == whole.trials[0].val_accuracy


class _Leaves(Silent):
    """Ends the search after the first epoch of trial 1, as a crash would."""

    class Left(Exception):
        pass

    def __init__(self) -> None:
        self.told: list[EpochMetrics] = []

    def on_epoch(self, metrics: EpochMetrics) -> None:
        self.told.append(metrics)
        if metrics.trial == 1:
            raise self.Left


def test_a_search_of_an_own_network_goes_on_from_its_checkpoints(whole, tmp_path):
    folders = {"artifacts": ArtifactStore(tmp_path / "kept"), "work_dir": tmp_path / "work"}
    left = _Leaves()
    with pytest.raises(_Leaves.Left):
        search(SPEC, observer=left, backbone=MyNet, finished=whole.trials[:1], **folders)
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["trial-1.pt"]
    told: list[EpochMetrics] = []

    class Listener(Silent):
        def on_epoch(self, metrics: EpochMetrics) -> None:
            told.append(metrics)

    again = search(SPEC, observer=Listener(), backbone=MyNet, finished=whole.trials[:1], **folders)
    assert [metrics.epoch for metrics in told] == [1, 2]
    assert told[0] == left.told[0], "the first epoch is told again, not run again"
    assert _comparable(again.trials) == _comparable(whole.trials)


def test_what_is_no_module_is_refused_before_anything_is_trained():
    with pytest.raises(InvalidSpec, match=r"answered a list.*returns a torch\.nn\.Module"):
        search(SPEC, backbone=lambda num_classes, input_size: [MyNet(num_classes, input_size)])


def test_what_does_not_answer_the_classes_of_the_data_is_refused():
    with pytest.raises(InvalidSpec, match=r"shape N×3, .* needs N×10.*follows num_classes"):
        search(SPEC, backbone=lambda _, input_size: MyNet(3, input_size))


def test_what_cannot_be_pickled_is_refused_by_ray_with_the_next_step():
    lock = threading.Lock()

    def build(num_classes: int, input_size: tuple[int, int, int]) -> nn.Module:
        with lock:
            return MyNet(num_classes, input_size)

    with pytest.raises(InvalidSpec, match=r"cannot be sent .*lock.*executor='inline'"):
        search(SPEC, "ray", backbone=build)


@pytest.mark.parametrize("name", ["vgg_small", "timm/resnet18", "own/x", "a:b=1"])
def test_an_own_network_cannot_take_the_name_of_another_one(name):
    with pytest.raises(InvalidSpec, match="Choose a name of its own"):
        search(SPEC.model_copy(update={"backbone": name}), backbone=MyNet)


def test_a_callable_that_fails_in_a_trial_fails_that_search_with_the_reason(tmp_path):
    built: list[int] = []

    def build(num_classes: int, input_size: tuple[int, int, int]) -> nn.Module:
        built.append(num_classes)
        if len(built) > 1:  # the first is for the estimate
            raise OSError("the disk with the pretrained part is gone")
        return MyNet(num_classes, input_size)

    with pytest.raises(SearchFailed, match="the disk with the pretrained part is gone"):
        search(SPEC, backbone=build, artifacts=ArtifactStore(tmp_path))


def test_an_error_of_the_callable_is_not_hidden():
    def build(num_classes: int, input_size: tuple[int, int, int]) -> nn.Module:
        raise KeyError("width")

    with pytest.raises(KeyError, match="width"):
        search(SPEC, backbone=build)


def test_a_network_without_a_name_is_refused_by_its_stored_architecture():
    space = resnas.convert(MyNet(10, (1, 32, 32)), input_size=(1, 32, 32))
    with pytest.raises(ResnasError, match="without a name"):
        rebuild(space.architecture(), b"", MyNet)


def test_results_of_own_networks_are_plain_values(whole):
    for trial in whole.trials:
        assert TrialResult.model_validate_json(trial.model_dump_json()) == trial
