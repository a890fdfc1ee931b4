"""Faults of the store: deaths between two statements, many at one queue, answers that get lost.

Where each fault of the catalogue is looked at:

F1   a paused worker comes back: test_f_processes; stale attempts: service/test_store
F2   the reaper dies half-way: here
F3   two take one item: here; threads: service/test_store
F4   a live worker is declared dead: here; test_f_processes; service/test_store
F5   a torn last record: service/test_migrate, service/test_doctor
F6   a server dies in a long operation: here (exports); requests: service/test_idempotency
F6b  the study of a search is gone with its process: test_searching_killed
F7   it was done, but the answer got lost: here; service/test_faults
F8   the server is killed: test_f_processes
F9   workers are killed again and again: test_monkey; Ray: service/test_faults
F10  the database is killed: test_monkey; F10-F14: service/test_disk, test_postgresql_faults
F15  no memory is left: test_f_jobs
F16  what hangs or is dead is cancelled: test_f_processes; service/test_worker
F17  a metric is NaN or missing: test_f_jobs; test_trainer
F18  migrations: service/test_migrate; F19 clocks: service/test_disk
F20  the same request again: test_f_processes; service/test_idempotency
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from service import runs, upkeep, worker
from service.settings import Settings
from service.store import leases
from service.store.repository import Repository
from service.store.session import Database
from service.store.values import State
from service.transitions import Event, moves
from tests.chaos import quick
from tests.chaos.harness import QUICK
from tests.service.conftest import result, wait

CLAIM, RELEASE, FAIL = moves(Event.CLAIM), moves(Event.RELEASE), moves(Event.FAIL)
SPEC = quick.spec(0, trials=2, epochs=2, milliseconds=10)
ESTIMATE = {"max_gmacs": 1.0, "counter": "ours"}
KILLED = 9


def begin(url, work: Callable[[Repository], None]) -> int:
    """Do `work` in a process of its own; its pid."""
    pid = os.fork()
    if pid == 0:
        try:
            work(Repository.connect(url, 2))
        finally:
            os._exit(1)  # whatever happens, the child must not go on with the tests
    return pid


def end_of(pid: int) -> int:
    """The exit status of a process, once it is over."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def dying_at(number: int, repository: Repository) -> None:
    """This process dies where the statement of that number is about to be executed, or commit."""
    left = iter(range(number))

    def die(*_: object) -> None:
        if next(left, None) is None:
            os._exit(KILLED)

    event.listen(repository.database.engine, "before_cursor_execute", die)
    event.listen(repository.database.engine, "commit", die)


def test_a_reaper_that_dies_anywhere_leaves_a_job_that_the_next_one_takes(database_url, repository):
    repository.jobs.add(SPEC, ESTIMATE)
    _, lease = repository.jobs.claim("one", -1, CLAIM)
    repository.database.engine.dispose()  # no connection is shared with the processes below
    deaths = 0
    while True:

        def expire(store: Repository, number: int = deaths) -> None:
            dying_at(number, store)
            store.jobs.expire(RELEASE, FAIL)
            os._exit(0)

        if end_of(begin(database_url, expire)) == 0:
            break
        deaths += 1
        left = repository.jobs.get(lease.id)
        assert (left.state, left.crashes, left.events) == (State.RUNNING, 0, 2)
    assert deaths > 3  # it was killed before each statement and before the commit
    taken = repository.jobs.get(lease.id)
    assert (taken.state, taken.crashes, taken.events) == (State.QUEUED, 1, 3)
    assert taken.error.reason == "lost"


def test_of_many_processes_at_one_queue_no_two_get_the_same_job(database_url, repository):
    jobs = {repository.jobs.add(SPEC, ESTIMATE).id for _ in range(80)}
    repository.database.engine.dispose()
    (reading, writing), (gun, trigger) = os.pipe(), os.pipe()

    def claim_all(store: Repository) -> None:
        os.close(trigger)
        store.ping()
        os.write(writing, b"ready\n")
        os.read(gun, 1)  # all begin at once, when the last one who could write is gone
        while claimed := store.jobs.claim(str(os.getpid()), 60, CLAIM):
            os.write(writing, f"{claimed[1].id}\n".encode())
        os._exit(0)

    pids = [begin(database_url, claim_all) for _ in range(8)]
    os.close(writing)
    with os.fdopen(reading) as lines:
        assert {next(lines) for _ in pids} == {"ready\n"}
        os.close(trigger)
        handed_out = Counter(line.strip() for line in lines)
    os.close(gun)
    assert [end_of(pid) for pid in pids] == [0] * 8
    assert set(handed_out) == jobs
    assert set(handed_out.values()) == {1}


def test_what_a_worker_that_was_declared_dead_too_early_found_is_kept(repository):
    job = repository.jobs.add(SPEC, ESTIMATE)
    _, lease = repository.jobs.claim("one", -1, CLAIM)
    assert repository.trials.record(lease, quick.result(SPEC, 0))  # nobody has taken it away yet
    assert repository.jobs.renew(lease, 60) is State.RUNNING
    assert repository.jobs.expire(RELEASE, FAIL) == []
    assert repository.jobs.finish(lease, moves(Event.SUCCEED)) is State.SUCCEEDED
    assert repository.jobs.get(job.id).trials_done == 1


def test_an_export_always_has_a_deadline_and_goes_to_the_next_worker(repository, monkeypatch):
    monkeypatch.setattr(leases, "PAUSES", (0.0,) * 4)
    repository.jobs.add(SPEC, ESTIMATE)
    _, lease = repository.jobs.claim("one", 60, CLAIM)
    repository.trials.record(lease, result(weights="0" * 64))
    (trial,) = repository.trials.page(lease.id, 1)
    asked = repository.exports.add(trial.architecture_id, "onnx", lambda _: True)
    for crashes in range(1, leases.MAX_CRASHES + 1):
        assert repository.exports.claim(f"worker {crashes}", -1, CLAIM)[1].id == asked.id
        assert repository.exports.expire(RELEASE, FAIL) == [asked.id]
        assert repository.exports.get(asked.id).crashes == crashes
    given_up = repository.exports.get(asked.id)
    assert (given_up.state, given_up.error.reason) == (State.FAILED, "poison")


class LosesAnswers(Database):
    """Now and then a transaction is committed, and whoever wrote it is told that it failed."""

    chance = random.Random(7)
    lost = 0

    @contextmanager
    def write(self):
        with super().write() as session:
            yield session
        if self.chance.random() < 0.15:
            type(self).lost += 1
            raise OperationalError("COMMIT", {}, Exception("the connection broke off"))


@pytest.fixture
def deaf(database_url, repository, tmp_path, monkeypatch):
    """A worker that does not always hear what came of a transaction."""
    for module, name, seconds in (
        (worker, "BEAT", 0.1),
        (worker, "POLL", 0.02),
        (worker, "LEASE", 3.0),
        (runs, "LEASE", 3.0),
        (runs, "AGAIN", 0.02),
        (upkeep, "EVERY", 0.1),
    ):
        monkeypatch.setattr(module, name, seconds)
    monkeypatch.setattr(leases, "PAUSES", (0.0,) * 4)
    monkeypatch.setattr("service.store.repository.Database", LosesAnswers)
    settings = Settings(data_dir=tmp_path / "data", driver=QUICK, jobs=2)
    settings.prepare()
    store = Repository.connect(database_url)
    at_work, care = worker.Worker(settings, store), upkeep.Upkeep(settings, store)
    at_work.start()
    care.start()
    yield
    at_work.stop()
    care.stop()
    store.close()


@pytest.mark.usefixtures("deaf")
def test_answers_that_get_lost_change_nothing(repository):
    jobs = [repository.jobs.add(SPEC, ESTIMATE).id for _ in range(4)]
    wait(lambda: all(repository.jobs.get(job).finished_at for job in jobs))
    assert LosesAnswers.lost > 3
    for job in (repository.jobs.get(job) for job in jobs):
        assert (job.state, job.trials_done) == (State.SUCCEEDED, 2)
        found = [r.model_dump(exclude={"seconds"}) for r in repository.trials.finished(job.id)]
        assert found == [quick.result(SPEC, n).model_dump(exclude={"seconds"}) for n in range(2)]
        numbers = [e.number for e in repository.events.page(job.id, 0, 1000)]
        assert numbers == list(range(1, job.events + 1))
