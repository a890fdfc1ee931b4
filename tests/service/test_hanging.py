"""Child processes that do not end by themselves."""

import pytest

from service import export_run, runs, worker
from service.store.repository import Repository
from service.store.values import State
from service.transitions import Event, moves
from tests.service.conftest import ESTIMATE, SPEC, result, wait


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"driver": "tests.service.hanging"})


@pytest.fixture
def repository(settings, monkeypatch):
    monkeypatch.setattr(worker, "BEAT", 0.02)
    monkeypatch.setattr(worker, "POLL", 0.02)
    found = Repository.open(settings.database)
    yield found
    found.close()


def test_a_job_whose_process_hangs_after_its_answer_has_ended(repository, monkeypatch, request):
    monkeypatch.setattr(runs, "GRACE", 0.1)
    job = repository.jobs.add(SPEC, ESTIMATE)
    request.getfixturevalue("running")
    wait(lambda: repository.jobs.get(job.id).finished_at)
    assert repository.jobs.get(job.id).state is State.SUCCEEDED


def test_an_export_that_takes_too_long_fails_at_once_with_the_reason(
    repository, monkeypatch, request
):
    monkeypatch.setattr(export_run, "LONGEST", 0.0)
    job = repository.jobs.add(SPEC, ESTIMATE)
    _, lease = repository.jobs.claim("one", 60, moves(Event.CLAIM))
    repository.trials.record(lease, result(weights="0" * 64))
    repository.jobs.finish(lease, moves(Event.SUCCEED))
    (trial,) = repository.trials.page(job.id, 1)
    asked = repository.exports.add(trial.architecture_id, "onnx")
    request.getfixturevalue("running")
    wait(lambda: repository.exports.get(asked.id).error)
    export = repository.exports.get(asked.id)
    assert (export.state, export.crashes) == (State.FAILED, 0)
    assert (export.error.found, export.error.reason) == ("it took longer than 0 s", "error")
