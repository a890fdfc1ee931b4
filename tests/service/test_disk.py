"""Disks that are full, writers that crowd, clocks that jump."""

import json
import subprocess
import threading
import time

import pytest
from sqlalchemy import text

from resnas.spec import JobSpec, TrainingSpec
from service import interpreter, upkeep, worker
from service.settings import Settings
from service.store import leases
from service.store.repository import Repository
from service.store.session import Database
from service.store.values import State
from service.transitions import Event, moves
from service.worker import Worker
from tests.service.conftest import ESTIMATE, SPEC, wait

ALONE = ("unshare", "--user", "--map-root-user", "--mount")
QUICK = JobSpec(
    backbone="mobilenet_small",
    dataset="digits",
    budget_gmacs=0.01,
    trials=4,
    training=TrainingSpec(epochs=3, batch_size=50),  # a pause of 50 ms for each epoch
)


def may_mount(folder):
    probe = [*ALONE, "mount", "-t", "tmpfs", "none", str(folder)]
    try:
        return subprocess.run(probe, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.chaos
def test_where_a_disk_is_full_the_job_says_so_and_the_database_is_whole(tmp_path):
    if not may_mount(tmp_path):
        pytest.skip("no file systems can be mounted here")
    done = subprocess.run(
        [*ALONE, *interpreter.command("tests.service.full_disk", str(tmp_path))],
        env=interpreter.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    job, database = found["job"], found["database"]
    assert (job["state"], job["crashes"], job["damage"]) == ("failed", 0, None)
    assert job["error"]["reason"] == "storage_full"
    assert "No space left on device" in job["error"]["found"]
    assert "space" in job["error"]["next_step"]
    assert "full" in database["refused"]
    assert database["there"] == database["accepted"] > 0
    assert database["after"] == database["there"] + 1
    assert database["damage"] is None


@pytest.mark.parametrize("shared", [True, False], ids=["one pool", "a pool each"])
def test_eight_writers_on_sqlite_never_find_it_locked(tmp_path, shared):
    url, count = f"sqlite:///{tmp_path / 'x.sqlite3'}", 20
    repositories = (
        [Repository.open(url)] * 8 if shared else [Repository.open(url) for _ in range(8)]
    )
    errors = []

    def write(repository):
        try:
            for _ in range(count):
                repository.jobs.add(SPEC, ESTIMATE)
                _, lease = repository.jobs.claim("one", 60, moves(Event.CLAIM))
                repository.jobs.renew(lease, 60)
                repository.jobs.finish(lease, moves(Event.SUCCEED))
        except Exception as error:  # noqa: BLE001 - asserted on where pytest sees it
            errors.append(error)

    threads = [threading.Thread(target=write, args=(each,)) for each in repositories]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with repositories[0].database.read() as session:
        ended = session.execute(text("SELECT state, attempt, COUNT(*) FROM jobs GROUP BY 1, 2"))
        assert ended.all() == [("succeeded", 1, 8 * count)]
    for repository in repositories:
        repository.close()


def test_durability_is_what_was_promised(tmp_path, postgres):
    sqlite, postgresql = f"sqlite:///{tmp_path / 'x.sqlite3'}", postgres.get_uri()
    found = {}
    for url, question in ((sqlite, "PRAGMA synchronous"), (postgresql, "SHOW synchronous_commit")):
        for durable in (False, True):
            database = Database(url, durable=durable)
            with database.read() as session:
                found[question, durable] = session.scalar(text(question))
            database.close()
    assert found["PRAGMA synchronous", False] == 1  # NORMAL
    assert found["PRAGMA synchronous", True] == 2  # FULL
    assert found["SHOW synchronous_commit", True] == "on"


def test_the_setting_for_durability_reaches_the_database(tmp_path, monkeypatch):
    assert not Settings.load(data_dir=tmp_path).durable
    monkeypatch.setenv("RESNAS_DURABILITY", "full")
    assert Settings.load(data_dir=tmp_path).durable


@pytest.fixture
def busy(settings, monkeypatch):
    """A worker that is at a job, and its repository."""
    for module, name, value in (
        (worker, "BEAT", 0.05),
        (worker, "POLL", 0.05),
        (upkeep, "EVERY", 0.05),
        (leases, "PAUSES", (0.0,) * 4),
    ):
        monkeypatch.setattr(module, name, value)
    settings = settings.model_copy(update={"driver": "tests.chaos.quick_driver"})
    repository = Repository.open(settings.database)
    job = repository.jobs.add(QUICK, ESTIMATE)
    at_work, care = Worker(settings, repository), upkeep.Upkeep(settings, repository)
    at_work.start()
    care.start()
    wait(lambda: repository.jobs.get(job.id).trials_done)
    yield repository, job.id
    at_work.stop()
    care.stop()
    repository.close()


def ended(repository, job_id):
    job = wait(lambda: (found := repository.jobs.get(job_id)).finished_at and found)
    numbers = [result.number for result in repository.trials.finished(job_id)]
    assert (job.state, job.trials_done, numbers) == (State.SUCCEEDED, 4, [0, 1, 2, 3])
    return job


@pytest.mark.parametrize("hours", [1, -1])
def test_a_worker_whose_clock_jumps_keeps_its_lease(busy, monkeypatch, hours):
    now, now_ns = time.time, time.time_ns
    monkeypatch.setattr(time, "time", lambda: now() + hours * 3600)
    monkeypatch.setattr(time, "time_ns", lambda: now_ns() + hours * 3600 * 10**9)
    job = ended(*busy)
    assert (job.attempt, job.crashes) == (1, 0)


def test_where_the_database_s_clock_jumps_an_attempt_is_lost_but_no_result(busy):
    repository, job_id = busy
    with repository.database.write() as session:  # as if its clock had gone on by an hour
        session.execute(text("UPDATE jobs SET lease_until = lease_until - 3600000"))
    job = ended(repository, job_id)
    assert job.attempt <= 2  # a heartbeat may have come first
