"""What becomes of trials whose process died."""

from pathlib import Path

import pytest

from resnas.causes import Cause, cause_of
from resnas.errors import StorageFull
from resnas.observer import Silent
from resnas.results import EpochMetrics, Phase, TrialState
from resnas.spec import JobSpec, SearchSpec
from resnas.storage import ArtifactStore
from resnas.strategies._base import Question
from resnas.strategies.sweep import Sweep
from resnas.trials import MOST_LOSSES, TrialFeed


@pytest.fixture
def trials(tmp_path: Path) -> TrialFeed:
    spec = JobSpec(
        backbone="vgg_small",
        dataset="digits",
        budget_gmacs=0.01,
        trials=2,
        search=SearchSpec(parallel=2),
    )
    question = Question(1.0, 9.0, ("dynopool",), 0.01, 2, 0, min_gmacs=0.005, max_gmacs=0.02)
    store = ArtifactStore(tmp_path)
    return TrialFeed(
        spec, Sweep(question), Silent(), (), datasets_dir=tmp_path, artifacts=store, work_dir=None
    )


def complete(task):
    facts = ("number", "seed", "resizer", "controller", "lam")
    done = {"state": "complete", "val_accuracy": 0.5, "macs": 10**6}
    return {name: task[name] for name in facts} | done


def epoch(number, epoch=1):
    return EpochMetrics(
        trial=number,
        epoch=epoch,
        epochs=99,
        phase=Phase.SEARCH,
        train_loss=1.0,
        val_accuracy=0.5,
        gmacs=0.001,
        sizes={},
        strides={},
        seconds=1.0,
    ).model_dump(mode="json")


def test_a_lost_trial_is_handed_out_again_as_it_was_before_any_other(trials):
    first = trials.next()
    trials.lost(0, "its process ended without an answer")
    assert trials.next() == first
    assert trials.results() == ()


def test_the_last_trials_are_waited_for_because_they_may_be_lost(trials):
    first, second = trials.next(), trials.next()
    assert trials.next() is None
    trials.done(0, [complete(first)])
    assert trials.next() is None
    trials.lost(1, "its machine is gone")
    assert trials.next() == second
    trials.done(1, [complete(second)])
    with pytest.raises(StopIteration):
        trials.next()


def test_a_trial_that_kills_its_process_again_and_again_has_failed(trials):
    for _ in range(MOST_LOSSES):
        assert trials.next()["number"] == 0
        trials.lost(0, "its process ended without an answer")
    (failed,) = trials.results()
    assert failed.state is TrialState.FAILED
    assert failed.reason == "its process ended without an answer, 3 times in a row"


def test_what_is_away_is_no_fault_of_any_trial(trials):
    away = "ConnectionError: the bucket does not answer"
    for _ in range(MOST_LOSSES - 1):
        trials.next()
        trials.lost(0, away)
    with pytest.raises(ConnectionError, match="bucket"):
        trials.lost(0, away)
    assert trials.results() == ()


def test_losses_with_epochs_between_them_are_no_fault_of_the_trial(trials):
    for done in range(3 * MOST_LOSSES):
        assert trials.next()["number"] == 0
        trials.report(0, epoch(0, done + 1))
        trials.lost(0, "its machine is gone")
    assert trials.results() == ()


def test_an_epoch_that_is_reported_again_is_no_progress(trials):
    for _ in range(MOST_LOSSES):
        assert trials.next()["number"] == 0
        trials.report(0, epoch(0))  # the one behind its checkpoint
        trials.lost(0, "its process ended without an answer")
    (failed,) = trials.results()
    assert failed.state is TrialState.FAILED


def test_a_full_disk_ends_the_search_instead_of_failing_trial_after_trial(trials):
    trials.next()
    with pytest.raises(StorageFull, match="then retry"):
        trials.failed(0, "OSError: [Errno 28] No space left on device")
    assert trials.results() == ()


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("OSError: [Errno 122] Disk quota exceeded", Cause.STORAGE_FULL),
        ("RuntimeError: DefaultCPUAllocator: can't allocate memory", Cause.OUT_OF_MEMORY),
        ("OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", Cause.OUT_OF_MEMORY),
        ("TrainingDiverged: the loss became NaN", Cause.ERROR),
    ],
)
def test_a_reason_tells_its_cause(reason, cause):
    assert cause_of(reason) is cause
