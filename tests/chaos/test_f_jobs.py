"""Faults of the work itself: no memory, and measures that are no numbers."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from resnas.backbones import own_from
from resnas.results import TrialState
from resnas.spec import JobSpec, TrainingSpec
from service import jobs
from service.fronts import front
from service.settings import Settings
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


BOMB = """
import torch

class Bomb(torch.nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.stem = torch.nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.head = torch.nn.Linear(4, num_classes)

    def forward(self, x):
        x = self.stem(x)
        x = x + 0 * x.repeat(1 << 40, 1, 1, 1).mean()
        return self.head(x.mean((2, 3)))

def build(num_classes, input_size):
    return Bomb(num_classes)
"""


@pytest.mark.chaos
def test_a_job_that_takes_all_memory_fails_for_that_reason_and_alone(tmp_path):
    (tmp_path / "backbones").mkdir()
    (tmp_path / "backbones" / "bomb.py").write_text(BOMB)
    settings = Settings(
        data_dir=tmp_path, backbones_dir=tmp_path / "backbones", executor="inline", jobs=2
    )
    settings.prepare()
    repository = Repository.open(settings.database)
    with own_from(settings.backbones_dir):
        bomb, neighbour = (
            jobs.submit(repository, jobs.check(TINY.model_copy(update=update), tmp_path)).id
            for update in ({"backbone": "own/bomb"}, {})
        )
    found = Worker(settings, repository)
    found.start()
    for job_id in (bomb, neighbour):
        wait(lambda job_id=job_id: repository.jobs.get(job_id).finished_at)
    found.stop()
    failed, done = repository.jobs.get(bomb), repository.jobs.get(neighbour)
    assert (done.state, failed.state) == (State.SUCCEEDED, State.FAILED)
    assert failed.error.reason == "out_of_memory"
    repository.close()
