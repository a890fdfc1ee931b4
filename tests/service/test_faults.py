"""What breaks around a worker: rows nobody can read, no processes to be had, a database away."""

import errno
import os
import signal
import time
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError, TimeoutError

from resnas.spec import JobSpec, SearchSpec, TrainingSpec
from service import child, runs, upkeep, worker
from service.errors import Failure
from service.local_server import local_server
from service.store.repository import Repository
from service.store.values import State
from service.transitions import Event, moves
from tests.service.conftest import ESTIMATE, SPEC, result, wait

CLAIM, RELEASE, FAIL = moves(Event.CLAIM), moves(Event.RELEASE), moves(Event.FAIL)


@pytest.fixture
def repository(settings, monkeypatch):
    monkeypatch.setattr(worker, "BEAT", 0.02)
    monkeypatch.setattr(worker, "POLL", 0.02)
    monkeypatch.setattr(runs, "AGAIN", 0.01)
    found = Repository.open(settings.database)
    yield found
    found.close()


def broken_job(repository, spec):
    """A queued job whose stored spec is the text `spec`."""
    job = repository.jobs.add(SPEC, ESTIMATE)
    with repository.database.write() as session:
        session.connection().exec_driver_sql(
            "UPDATE jobs SET spec = ? WHERE id = ?", (spec, job.id)
        )
    return job


@pytest.mark.parametrize("spec", ['{"backbone": 7}', "[1]", "{torn"])
def test_a_job_that_cannot_be_read_fails_with_the_reason_and_holds_up_nobody(
    repository, spec, request
):
    broken = broken_job(repository, spec)
    assert [job.id for job in repository.jobs.page(5)] == [broken.id]
    behind = broken_job(repository, "7")
    request.getfixturevalue("running")
    wait(lambda: repository.jobs.get(behind.id).finished_at)
    failed = repository.jobs.get(broken.id)
    assert (failed.state, failed.crashes) == (State.FAILED, 0)
    assert broken.id in failed.error.place


def test_a_job_whose_process_cannot_be_started_goes_back_unharmed(
    settings, repository, monkeypatch
):
    def refuse(*args, **kwargs):
        raise OSError(errno.EAGAIN, "no more processes")

    monkeypatch.setattr(child.subprocess, "Popen", refuse)
    job = repository.jobs.add(SPEC, ESTIMATE)
    claimed, lease = repository.jobs.claim("one", 60, CLAIM)
    with pytest.raises(OSError, match="no more processes"):
        runs.JobRun(settings, repository, claimed, lease).follow()
    again = repository.jobs.get(job.id)
    assert (again.state, again.crashes) == (State.QUEUED, 0)
    assert "no more processes" in again.error.found
    assert repository.jobs.claim("two", 60, CLAIM) is None  # not at once


def test_a_job_for_which_there_is_no_room_fails_and_says_so(settings, repository, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(child.subprocess, "Popen", refuse)
    repository.jobs.add(SPEC, ESTIMATE)
    claimed, lease = repository.jobs.claim("one", 60, CLAIM)
    with pytest.raises(OSError, match="No space"):
        runs.JobRun(settings, repository, claimed, lease).follow()
    found = repository.jobs.get(lease.id)
    assert (found.state, found.error.reason) == (State.FAILED, "storage_full")


def test_a_run_that_was_killed_before_it_started_does_no_work(settings, repository):
    job = repository.jobs.add(SPEC, ESTIMATE)
    run = runs.JobRun(settings, repository, *repository.jobs.claim("one", 60, CLAIM))
    run.child.kill()
    run.follow()
    found = repository.jobs.get(job.id)
    assert (found.state, found.crashes) == (State.QUEUED, 1)
    assert found.error.found == "it was killed by signal 9"


def test_a_write_is_done_again_until_the_database_is_back(settings, repository):
    repository.jobs.add(SPEC, ESTIMATE)
    run = runs.JobRun(settings, repository, *repository.jobs.claim("one", 60, CLAIM))
    tries = []

    def write():
        tries.append(1)
        if len(tries) < 4:
            raise OperationalError("UPDATE", {}, Exception("server closed the connection"))
        return repository.trials.record(run.lease, result())

    assert run._write(write)
    assert (len(tries), len(repository.trials.finished(run.lease.id))) == (4, 1)


def test_a_write_is_given_up_when_the_lease_would_be_over(settings, repository, monkeypatch):
    monkeypatch.setattr(runs, "LEASE", 0.05)
    repository.jobs.add(SPEC, ESTIMATE)
    run = runs.JobRun(settings, repository, *repository.jobs.claim("one", 60, CLAIM))

    def write():
        raise OperationalError("UPDATE", {}, Exception("gone for good"))

    with pytest.raises(OperationalError, match="gone for good"):
        run._write(write)


def test_leases_are_looked_at_again_after_any_error(settings, repository, monkeypatch):
    monkeypatch.setattr(upkeep, "EVERY", 0.02)
    monkeypatch.setattr(upkeep, "PATIENCE", 0.02)
    failures = iter([TimeoutError("no connection left"), RuntimeError("a fault")])
    expire = type(repository.jobs).expire

    def failing(self, *args, **options):
        for error in failures:
            raise error
        return expire(self, *args, **options)

    monkeypatch.setattr(type(repository.jobs), "expire", failing)
    job = repository.jobs.add(SPEC, ESTIMATE)
    with repository.database.write() as session:  # claimed by somebody who is gone
        session.connection().exec_driver_sql(
            "UPDATE jobs SET state = 'running', worker = 'x', attempt = 1, crashes = 4, "
            "lease_until = 0"
        )
    keeper = upkeep.Upkeep(settings, repository)
    keeper.start()
    assert wait(lambda: repository.jobs.get(job.id).finished_at)
    keeper.stop()
    assert repository.jobs.get(job.id).state is State.FAILED
    assert repository.jobs.get(job.id).error.reason == "poison"


def test_a_run_that_nobody_heard_of_is_ended_though_its_heartbeat_hangs(settings, repository):
    repository.jobs.add(SPEC, ESTIMATE)
    run = runs.JobRun(settings, repository, *repository.jobs.claim("one", 60, CLAIM))
    run._heard -= runs.LEASE + 1
    run.end_if_unheard()
    run.follow()
    found = repository.jobs.get(run.lease.id)
    assert (found.crashes, found.error.reason) == (0, "unreachable")  # it was not to blame


def test_what_crashed_is_not_claimed_before_its_pause_is_over(repository):
    job = repository.jobs.add(SPEC, ESTIMATE)
    later = repository.jobs.add(SPEC, ESTIMATE)
    death = Failure(place="driver", found="it died", next_step="See the log")
    for _ in range(2):  # after the first time it is tried again at once, before others
        _, lease = repository.jobs.claim("one", 60, CLAIM)
        assert lease.id == job.id
        assert repository.jobs.crash(lease, RELEASE, FAIL, death) is State.QUEUED
    assert repository.jobs.claim("one", 60, CLAIM)[1].id == later.id
    with repository.database.write() as session:
        session.connection().exec_driver_sql("UPDATE jobs SET not_before = not_before - 4000")
    assert repository.jobs.claim("one", 60, CLAIM)[1].id == job.id


def test_an_unexpected_error_of_the_driver_is_the_reason_of_its_job(
    settings, repository, monkeypatch
):
    no_task = Failure(place="a", found="b", next_step="c")
    monkeypatch.setattr(runs.JobRun, "_task", lambda _: no_task)
    repository.jobs.add(SPEC, ESTIMATE)
    run = runs.JobRun(settings, repository, *repository.jobs.claim("one", 60, CLAIM))
    run.follow()
    found = repository.jobs.get(run.lease.id)
    assert (found.state, found.crashes) == (State.QUEUED, 1)
    assert found.error.found.startswith("it broke on")
    assert "ValidationError" in settings.log_path(found.id).read_text()


@pytest.mark.chaos
def test_killing_a_driver_on_ray_leaves_no_process_and_costs_no_finished_trial(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("RESNAS_EXECUTOR", "ray")
    monkeypatch.setenv("RESNAS_DATASETS_DIR", str(tmp_path / "datasets"))  # marks all of them
    spec = JobSpec(
        backbone="vgg_small",
        dataset="digits",
        budget_gmacs=0.1,
        trials=2,
        training=TrainingSpec(epochs=2, batch_size=512),
        search=SearchSpec(parallel=1),
    )
    with local_server(tmp_path / "data") as server, server.client() as client:
        bystanders = marked(tmp_path)
        job = client.submit(spec)
        wait(lambda: client.job(job.id).trials_done == 1)
        (kept,) = [trial for trial in client.trials(job.id) if trial.state == "complete"]
        run = marked(tmp_path) - bystanders
        assert len(run) > 3  # the driver, Ray's own processes, and the trial
        (driver,) = (pid for pid in run if b"service.driver" in about(pid, "cmdline"))
        os.kill(driver, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while left := run & marked(tmp_path):
            assert time.monotonic() < deadline, [about(pid, "cmdline") for pid in left]
            assert client.ready()
            time.sleep(0.1)
        *_, ended = client.watch(job.id)
        assert (ended.state, ended.trials_done) == ("succeeded", 2)
        told = [event.data for event in client.events(job.id)]
        assert {d["error"]["reason"] for d in told if d.get("error")} == {"crashed"}
        assert next(t for t in client.trials(job.id) if t.number == kept.number) == kept


def marked(folder):
    """The processes that live and have the folder in their environment."""
    mark = str(folder / "datasets").encode()
    pids = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal())
    return {pid for pid in pids if pid != os.getpid() and mark in about(pid, "environ")}


def about(pid, file):
    """A file of /proc about a process; empty once it is dead."""
    try:
        return Path(f"/proc/{pid}/{file}").read_bytes()
    except OSError:
        return b""
