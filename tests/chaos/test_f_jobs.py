"""Faults of the work itself: no memory, and measures that are no numbers."""

from __future__ import annotations

import contextlib
import resource

import pytest
from pydantic import ValidationError

from resnas.results import TrialState
from resnas.spec import JobSpec, TrainingSpec
from service import jobs, worker
from service.fronts import front
from service.settings import Settings
from service.store import leases
from service.store.repository import Repository
from service.store.values import State
from service.transitions import Event, moves
from service.worker import Worker
from tests.service.conftest import ESTIMATE, SPEC, result, wait

TINY = JobSpec(
    backbone="vgg_small",
    dataset="digits",
    budget_gmacs=0.1,
    trials=1,
    training=TrainingSpec(epochs=1, batch_size=512),
)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_measure_that_is_no_number_never_gets_into_a_result(value):
    good = result()
    with pytest.raises(ValidationError):
        type(good).model_validate(good.model_dump() | {"val_accuracy": value})


def test_trials_without_a_measure_are_kept_and_leave_the_front_alone(repository):
    job = repository.jobs.add(SPEC, ESTIMATE)
    _, lease = repository.jobs.claim("one", 60, moves(Event.CLAIM))
    repository.trials.record(lease, result(0))
    repository.trials.record(lease, result(1, state=TrialState.FAILED))
    missing = result(2).model_copy(update={"val_accuracy": None})
    repository.trials.record(lease, missing)
    found = front(
        repository,
        repository.jobs.get(job.id),
        max_gmacs=None,
        min_accuracy=None,
        include_dominated=True,
    )
    assert [c.point.number for c in found.candidates] == [0]
    assert repository.jobs.get(job.id).trials_done == 3


@pytest.mark.chaos
def test_a_job_that_takes_all_memory_fails_for_that_reason_and_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "BEAT", 0.1)
    monkeypatch.setattr(leases, "PAUSES", (0.0,) * 4)
    settings = Settings(data_dir=tmp_path, executor="inline", jobs=2)
    settings.prepare()
    repository = Repository.open(settings.database)
    bomb, neighbour = (
        jobs.submit(repository, jobs.check(TINY.model_copy(update={"seed": n}), tmp_path)).id
        for n in range(2)
    )
    found = Worker(settings, repository)
    found.start()
    while repository.jobs.get(bomb).finished_at is None:
        for run in found.running():
            if run.lease.id == bomb and run.child.pid:
                _limit(run.child.pid)
    wait(lambda: repository.jobs.get(neighbour).finished_at)
    found.stop()
    assert repository.jobs.get(neighbour).state is State.SUCCEEDED
    failed = repository.jobs.get(bomb)
    assert failed.state is State.FAILED
    assert failed.error.reason in ("out_of_memory", "poison")
    repository.close()


def _limit(pid: int) -> None:
    """No more memory than a Python with nothing in it needs."""
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_AS, (300 << 20, 300 << 20))
