"""Trials are ended early by accuracy, among those of a similar cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from resnas import trial
from resnas.catalog import strategies
from resnas.datasets._base import load
from resnas.executors.inline import Inline
from resnas.observer import Silent
from resnas.results import EpochMetrics, Phase, Plan, Rung, TrialResult, TrialState
from resnas.searching import front_of
from resnas.spec import JobSpec, TrainingSpec
from resnas.stopping import behind, rung_at
from resnas.storage import ArtifactStore
from resnas.strategies._base import AbstractStrategy, Outcome, Question
from resnas.trials import TrialFeed


def rungs(*accuracies: float, gmacs: float = 1.0, share: float = 0.5) -> list[Rung]:
    return [Rung(share=share, gmacs=gmacs, val_accuracy=a) for a in accuracies]


def test_a_training_is_compared_three_times_and_never_at_its_end():
    shares = [rung_at(epoch, 8) for epoch in range(1, 9)]
    assert shares == [None, 0.25, None, 0.5, None, 0.75, None, None]
    assert [rung_at(1, 1), rung_at(1, 2), rung_at(2, 2)] == [None, 0.25, None]


def test_below_the_median_of_its_rivals_it_ends_and_at_it_it_goes_on():
    (worse, even) = rungs(0.6, 0.7)
    others = rungs(0.5, 0.7, 0.9)
    assert "0.6000, below the median 0.7000 of 3 others" in (behind(worse, others) or "")
    assert behind(even, others) is None


@pytest.mark.parametrize(
    "others",
    [
        rungs(0.9, 0.9),
        rungs(0.9, 0.9, 0.9, gmacs=1.3),
        rungs(0.9, 0.9, 0.9, gmacs=0.75),
        rungs(0.9, 0.9, 0.9, share=0.25),
    ],
    ids=["too few", "all dearer", "all cheaper", "not as far"],
)
def test_only_enough_rivals_of_a_similar_cost_and_as_far_count(others):
    assert behind(rungs(0.1)[0], others) is None


TRAINED = TrainingSpec(lr=0.1, weight_decay=0.0)


class Fixed(AbstractStrategy):
    """One λ after the other."""

    def suggest(self, number: int, outcomes: Sequence[Outcome]) -> Plan:
        del outcomes
        return Plan(resizer="dynopool", lam=1.0 + number)


def feed(tmp_path: Path, *, stop_early: bool = True, parallel: int = 1) -> TrialFeed:
    spec = JobSpec.model_validate(
        {
            "backbone": "vgg_small",
            "dataset": "digits",
            "budget_gmacs": 0.01,
            "trials": 9,
            "search": {"stop_early": stop_early, "parallel": parallel},
        }
    )
    strategy = Fixed(Question(1.0, 9.0, ("dynopool",), 0.01, 9, 0, min_gmacs=0.005, max_gmacs=0.02))
    store = ArtifactStore(tmp_path)
    return TrialFeed(
        spec, strategy, Silent(), (), datasets_dir=tmp_path, artifacts=store, work_dir=tmp_path
    )


def epoch_of(number: int, accuracy: float) -> dict[str, object]:
    metrics = EpochMetrics(
        trial=number,
        epoch=2,
        epochs=4,
        phase=Phase.SEARCH,
        train_loss=1.0,
        val_accuracy=accuracy,
        gmacs=1.0,
        sizes={},
        strides={},
        rungs=tuple(rungs(accuracy)),
        seconds=1.0,
    )
    return metrics.model_dump(mode="json")


def run_trial(trials: TrialFeed, accuracy: float) -> bool:
    """Hand out a trial that reports once; whether it was ended."""
    task = trials.next()
    assert task is not None
    number = task["number"]
    Path(task["checkpoint"]).touch()
    if trials.report(number, epoch_of(number, accuracy)):
        return True
    kept = ("number", "seed", *Plan.model_fields)
    facts = {name: task[name] for name in kept}
    result = {
        "state": "complete",
        "rungs": [rung.model_dump() for rung in rungs(accuracy)],
        "val_accuracy": accuracy,
        "macs": 10**9,
    }
    trials.done(number, [facts | result])
    return False


def test_a_trial_that_is_ended_is_marked_and_teaches_nothing(tmp_path):
    trials = feed(tmp_path)
    assert [run_trial(trials, accuracy) for accuracy in (0.5, 0.7, 0.9, 0.6)] == [False] * 3 + [
        True
    ]
    stopped = trials.results()[3]
    assert stopped.state is TrialState.STOPPED
    assert (stopped.lam, stopped.epochs_done, stopped.architecture) == (4.0, 2, None)
    assert "stopped early: at 50% of its epochs" in (stopped.reason or "")
    assert not (tmp_path / "trial-3.pt").exists()
    assert stopped not in front_of(trials.results())
    assert run_trial(trials, 0.8) is False
    assert stopped.rungs == tuple(rungs(0.6)), "a stopped trial is a rival all the same"


def test_a_trial_whose_start_did_not_complete_is_planned_again(tmp_path):
    trials = feed(tmp_path, parallel=2)
    trials.strategy = strategies["continue"](replace(trials.strategy.question, training=TRAINED))
    first, waiting = trials.next(), trials.next()
    assert first is not None
    assert waiting is None, "it begins with the first one's weights"
    trials.failed(0, "no")
    second = trials.next()
    assert second is not None
    assert (second["number"], second["start"]) == (1, None)


def test_nobody_is_ended_unasked(tmp_path):
    trials = feed(tmp_path, stop_early=False)
    assert not any(run_trial(trials, accuracy) for accuracy in (0.5, 0.7, 0.9, 0.1))


def test_only_trials_that_the_plan_could_know_are_rivals(tmp_path):
    trials = feed(tmp_path, parallel=2)
    assert not any(run_trial(trials, accuracy) for accuracy in (0.5, 0.7, 0.9, 0.6))
    assert run_trial(trials, 0.55) is True  # trial 4 knows 0 to 3


class Told(Silent):
    """Remembers the epochs that it was told of; after `lives` of them its process dies."""

    def __init__(self, lives: int) -> None:
        self.lives = lives
        self.epochs: list[int] = []

    def on_epoch(self, metrics: EpochMetrics) -> None:
        if self.lives == 0:
            raise KeyboardInterrupt  # its checkpoint is kept, and nobody has heard of it
        self.lives -= 1
        self.epochs.append(metrics.epoch)


def last_trial(tmp_path: Path, work: str, lives: int) -> tuple[TrialResult, list[int]]:
    """Train the last of four trials, of which the others were right in everything.

    Returns:
        What it came to, and the epochs that were told of it.
    """
    ladder = tuple(Rung(share=0.25, gmacs=1.1**n / 1e3, val_accuracy=1.0) for n in range(60))
    spec = JobSpec.model_validate(
        {
            "backbone": "vgg_small",
            "dataset": "digits",
            "budget_gmacs": 0.01,
            "trials": 4,
            "training": {"epochs": 2},
            "search": {"stop_early": True},
        }
    )
    rivals = [
        TrialResult(
            number=number,
            state=TrialState.COMPLETE,
            seed=number,
            resizer="dynopool",
            lam=1.0,
            val_accuracy=1.0,
            macs=10**6,
            rungs=ladder,
        )
        for number in range(3)
    ]
    strategy = Fixed(Question(1.0, 9.0, ("dynopool",), 0.01, 4, 0, min_gmacs=0.005, max_gmacs=0.02))
    told = Told(lives)
    trials = TrialFeed(
        spec,
        strategy,
        told,
        rivals,
        datasets_dir=tmp_path,
        artifacts=ArtifactStore(tmp_path),
        work_dir=tmp_path / work,
    )
    Inline().run(trials, trial.run)
    return trials.results()[3], told.epochs


def test_a_trial_killed_before_it_was_ended_early_ends_there_when_it_goes_on(tmp_path, monkeypatch):
    dataset = load("digits", tmp_path)
    dataset.train = dataset.train.subset(torch.arange(128))
    dataset.val = dataset.val.subset(torch.arange(64))
    monkeypatch.setattr(trial, "_dataset", lambda *_: dataset)
    undisturbed = last_trial(tmp_path, "one", lives=9)
    assert undisturbed[0].state is TrialState.STOPPED
    with pytest.raises(KeyboardInterrupt):
        last_trial(tmp_path, "other", lives=0)
    assert (tmp_path / "other" / "trial-3.pt").exists()
    assert last_trial(tmp_path, "other", lives=9) == undisturbed
