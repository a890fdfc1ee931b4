"""A search end to end on digits: the same trials whatever runs them, and after any restart."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from resnas.backbones import own_from
from resnas.datasets._base import load
from resnas.errors import InfeasibleBudget, SearchFailed, UnknownName
from resnas.results import EpochMetrics, TrialResult, TrialState
from resnas.searching import front_of, search
from resnas.spec import JobSpec
from resnas.storage import ArtifactStore
from resnas.trial import rebuild

BACKBONES = Path(__file__).parent / "backbones"
BUDGET = 0.0004
TRAINING = {"epochs": 2, "batch_size": 128, "warmup": 0.0, "settle": 0.5}


def _spec(**changes):
    given = {
        "backbone": "own/small",
        "dataset": "digits",
        "budget_gmacs": BUDGET,
        "trials": 3,
        "training": TRAINING,
        "search": {"parallel": 2},
    }
    return JobSpec.model_validate({**given, **changes})


class Listener:
    def __init__(self, stop_after: int | None = None) -> None:
        self.epochs: list[EpochMetrics] = []
        self.trials: list[TrialResult] = []
        self.stop_after = stop_after
        self.lock = threading.RLock()  # what listens cannot always be pickled

    def on_epoch(self, metrics: EpochMetrics) -> None:
        self.epochs.append(metrics)

    def on_trial(self, result: TrialResult) -> None:
        self.trials.append(result)

    def should_stop(self) -> bool:
        return self.stop_after is not None and len(self.epochs) >= self.stop_after


def _comparable(trials):
    return [trial.model_copy(update={"seconds": 0.0}) for trial in trials]


@pytest.fixture(scope="module", autouse=True)
def own_backbones():
    with own_from(BACKBONES):
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """One undisturbed search, with what its listener heard."""
    listener = Listener()
    artifacts = ArtifactStore(tmp_path_factory.mktemp("artifacts"))
    torch.set_num_threads(1)
    return search(_spec(), observer=listener, artifacts=artifacts), listener


def test_every_trial_and_epoch_is_told(whole):
    result, listener = whole
    assert [t.number for t in result.trials] == [0, 1, 2]
    assert all(t.state is TrialState.COMPLETE for t in result.trials)
    assert list(result.trials) == listener.trials
    assert [(e.trial, e.epoch) for e in listener.epochs] == [
        (n, e) for n in range(3) for e in (1, 2)
    ]


def test_the_front_is_chosen_on_validation_and_the_best_is_within_the_budget(whole):
    result, _ = whole
    assert result.front == front_of(result.trials)
    costs = [t.gmacs for t in result.front]
    assert costs == sorted(costs)
    accuracies = [t.val_accuracy for t in result.front]
    assert accuracies == sorted(accuracies)
    affordable = [t for t in result.trials if t.gmacs <= BUDGET]
    assert result.best == max(affordable, key=lambda t: (t.val_accuracy, -t.gmacs), default=None)


def test_a_stored_architecture_is_built_again_with_its_accuracy(whole):
    result, _ = whole
    trial = result.trials[0]
    network = rebuild(trial.architecture, result.artifacts.read(trial.weights))
    digits = load("digits", Path())
    mean, std = digits.mean[0], digits.std[0]
    images = (digits.val.images[torch.arange(len(digits.val))].float() / 255 - mean) / std
    right = (network(images).argmax(1) == digits.val.labels).float().mean()
    assert float(right) == pytest.approx(trial.val_accuracy, abs=1 / len(digits.val))


def test_ray_and_this_process_give_the_same_trials(whole, tmp_path):
    result, _ = whole
    listener = Listener()
    found = search(_spec(), "ray", listener, artifacts=ArtifactStore(tmp_path))
    assert _comparable(found.trials) == _comparable(result.trials)
    assert {(e.trial, e.epoch) for e in listener.epochs} == {
        (n, e) for n in range(3) for e in (1, 2)
    }


def test_a_search_goes_on_from_its_finished_trials(whole, tmp_path):
    result, _ = whole
    listener = Listener()
    found = search(
        _spec(), observer=listener, artifacts=ArtifactStore(tmp_path), finished=result.trials[:2]
    )
    assert [t.number for t in listener.trials] == [2], "finished trials are not run again"
    assert _comparable(found.trials) == _comparable(result.trials)


def test_a_search_that_is_stopped_keeps_what_it_has(tmp_path):
    listener = Listener(stop_after=3)
    found = search(_spec(), observer=listener, artifacts=ArtifactStore(tmp_path))
    assert [t.number for t in found.trials] == [0]
    assert len(listener.epochs) == 3


def test_saving_writes_the_trials_and_the_weights_of_the_front(whole, tmp_path):
    result, _ = whole
    result.save(tmp_path)
    saved = json.loads((tmp_path / "search.json").read_text())
    assert [TrialResult.model_validate(t) for t in saved["trials"]] == list(result.trials)
    kept = {path.stem for path in (tmp_path / "weights").iterdir()}
    assert kept == {t.weights for t in result.front}


def test_a_search_of_which_no_trial_completes_fails_with_the_reason(tmp_path):
    training = {**TRAINING, "lr": 10.0, "weight_decay": 1.0}  # w grows ninefold a step
    spec = _spec(trials=1, training={**training, "epochs": 12})
    with pytest.raises(SearchFailed, match=r"none of 1 trials completed.*epoch \d+, step \d+: the"):
        search(spec, artifacts=ArtifactStore(tmp_path))


def test_several_resizers_are_searched_in_one_sweep(tmp_path):
    spec = _spec(resizer=["dynopool", "average"], trials=2, training={**TRAINING, "epochs": 1})
    found = search(spec, artifacts=ArtifactStore(tmp_path))
    assert {t.resizer for t in found.trials} == {"dynopool", "average"}


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"backbone": "vgg_smal"}, UnknownName, "Did you mean 'vgg_small'"),
        ({"dataset": "digit"}, UnknownName, "Did you mean 'digits'"),
        ({"resizer": ["dynapool"]}, UnknownName, "Did you mean 'dynopool'"),
        ({"strategy": "sweeep"}, UnknownName, "Did you mean 'sweep'"),
        ({"budget_gmacs": 1e-6}, InfeasibleBudget, r"from 8\.9\d+e-05 to 0\.00\d+ GMACs"),
    ],
)
def test_a_search_that_cannot_succeed_is_refused_at_once(changes, error, text):
    with pytest.raises(error, match=text):
        search(_spec(**changes))


def test_the_library_needs_no_service(tmp_path):
    code = (
        "import resnas, sys; resnas.search, resnas.export, resnas.convert;"
        "assert not {'fastapi', 'sqlalchemy', 'ray', 'plotly'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
