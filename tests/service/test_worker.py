"""A worker with real searches: results, crashes, cancelling, the end of the program."""

import hashlib
import os
import signal
import subprocess
import threading

import onnxruntime
import pytest
from fastapi.testclient import TestClient

from resnas.results import TrialState
from resnas.spec import JobSpec, TrainingSpec
from service import interpreter, jobs, runs, worker
from service.app import create_app
from service.messages import SearchTask
from service.store import leases
from service.store.repository import Repository
from service.store.values import State
from tests.service.conftest import ESTIMATE, wait

SHORT = JobSpec(
    backbone="vgg_small",
    dataset="digits",
    budget_gmacs=0.1,
    trials=1,
    training=TrainingSpec(epochs=1, batch_size=256),
)
LONG = SHORT.model_copy(update={"training": TrainingSpec(epochs=1000, batch_size=256)})


@pytest.fixture
def repository(settings, monkeypatch):
    """The store of a worker that looks and beats more often than by default."""
    monkeypatch.setattr(worker, "BEAT", 0.1)
    monkeypatch.setattr(worker, "POLL", 0.05)
    monkeypatch.setattr(leases, "PAUSES", (0.0,) * 4)
    found = Repository.open(settings.database)
    yield found
    found.close()


def started(worker):
    """The one run of `worker` whose child process is there."""
    return wait(lambda: next((run for run in worker.running() if run.child.pid), None))


def ended(repository, job):
    """The job once nothing happens to it any more."""
    return wait(lambda: (j := repository.jobs.get(job.id)).finished_at and j)


def test_a_job_is_run_and_its_network_exported_and_fetched(settings, repository, running):
    job = ended(repository, jobs.submit(repository, jobs.check(SHORT, settings.datasets_dir)))
    assert (job.state, job.trials_done, job.error, job.crashes) == (State.SUCCEEDED, 1, None, 0)
    (trial,) = repository.trials.page(job.id, 10)
    assert (trial.state, trial.progress["epoch"]) == (TrialState.COMPLETE, 1)
    assert not settings.work(job.id).folder.exists()

    asked = jobs.ask_export(repository, settings.artifacts, trial.architecture_id, "onnx")
    wait(lambda: repository.exports.get(asked.id).finished_at)
    headers = {"Authorization": f"Bearer {token(settings)}"}
    with TestClient(create_app(settings), base_url="http://127.0.0.1", headers=headers) as client:
        export = client.get(f"/v1/exports/{asked.id}").json()
        assert (export["state"], export["error"]) == ("succeeded", None)
        content = client.get(f"/v1/exports/{asked.id}/content")
    digest = hashlib.sha256(content.content).hexdigest()
    assert content.headers["etag"] == f'"{digest}"'
    assert export["filename"] in content.headers["content-disposition"]
    assert (export["sha256"], export["size"]) == (digest, len(content.content))
    onnxruntime.InferenceSession(content.content)


def token(settings):
    create_app(settings)
    return settings.token_path.read_text().strip()


def test_a_driver_that_dies_again_and_again_fails_its_job_with_the_reason(
    settings, repository, running
):
    job = jobs.submit(repository, jobs.check(SHORT, settings.datasets_dir))
    killed = set()
    while repository.jobs.get(job.id).finished_at is None:
        for run in running.running():
            if run.child.pid not in {None, *killed}:
                killed.add(run.child.pid)
                os.kill(run.child.pid, signal.SIGKILL)
    job = repository.jobs.get(job.id)
    assert (job.state, len(killed)) == (State.FAILED, leases.MAX_CRASHES)
    assert job.error.found == "it was killed by signal 9, 5 times in a row without any progress"
    assert f"logs/{job.id}.log" in job.error.next_step


def test_what_cannot_succeed_fails_at_once_in_the_words_of_its_error(repository, running):
    spec = SHORT.model_copy(update={"dataset": "npz:gone"})  # its files went after the submission
    job = ended(repository, repository.jobs.add(spec, ESTIMATE))
    assert (job.state, job.crashes) == (State.FAILED, 0)
    assert job.error.next_step


def test_a_running_job_is_cancelled(settings, repository, running):
    job = jobs.submit(repository, jobs.check(LONG, settings.datasets_dir))
    wait(lambda: repository.trials.page(job.id, 1))
    assert jobs.cancel(repository, job.id).state is State.CANCELLING
    assert ended(repository, job).state is State.CANCELLED
    (trial,) = repository.trials.page(job.id, 10)
    assert trial.state is TrialState.STOPPED


def test_a_driver_that_does_not_react_is_killed_when_its_job_is_cancelled(
    settings, repository, running, monkeypatch
):
    monkeypatch.setattr(runs, "GRACE", 0.2)
    job = jobs.submit(repository, jobs.check(LONG, settings.datasets_dir))
    run = started(running)
    os.kill(run.child.pid, signal.SIGSTOP)
    jobs.cancel(repository, job.id)
    assert ended(repository, job).state is State.CANCELLED


def test_a_worker_that_ends_gives_its_job_back(settings, repository, monkeypatch):
    monkeypatch.setattr(runs, "GRACE", 0.2)
    found, stop = worker.Worker(settings, repository), threading.Event()
    thread = threading.Thread(target=found.run, args=(stop,))
    thread.start()
    job = jobs.submit(repository, jobs.check(LONG, settings.datasets_dir))
    started(found)
    stop.set()
    thread.join()
    again = repository.jobs.get(job.id)
    assert (again.state, again.crashes, again.error) == (State.QUEUED, 0, None)
    assert repository.trials.page(job.id, 10) == []


def test_a_worker_that_lost_its_lease_stops_and_writes_nothing(settings, repository, running):
    job = jobs.submit(repository, jobs.check(LONG, settings.datasets_dir))
    run = started(running)
    with repository.database.write() as session:
        session.connection().exec_driver_sql("UPDATE jobs SET attempt = 7, worker = 'other'")
    wait(lambda: not running.running())
    assert run.child.wait() == -signal.SIGKILL
    taken = repository.jobs.get(job.id)
    assert (taken.state, taken.attempt, taken.crashes) == (State.RUNNING, 7, 0)


def test_a_driver_dies_with_its_worker(settings):
    task = SearchTask(
        spec=LONG,
        finished=(),
        executor="inline",
        ray_address=None,
        datasets_dir=settings.datasets_dir,
        artifacts_dir=settings.artifacts.root,
        work_dir=settings.work("x").url,
    )
    listening, speaking = os.pipe()
    file = settings.data_dir / "task"
    file.write_text(task.model_dump_json())
    with file.open() as opened:
        driver = subprocess.Popen(
            interpreter.command("service.driver", str(speaking), str(opened.fileno())),
            env=interpreter.environment(),
            stdin=subprocess.PIPE,
            pass_fds=(speaking, opened.fileno()),
            start_new_session=True,
        )
    os.close(speaking)
    with os.fdopen(listening) as messages:
        assert '"kind":"epoch"' in messages.readline()
        driver.stdin.close()  # as the kernel does when the worker is gone
        assert driver.wait() == -signal.SIGKILL
