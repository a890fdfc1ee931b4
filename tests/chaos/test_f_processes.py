"""Faults of processes: stopped, killed, silent, while jobs wait, run or are being cancelled."""

from __future__ import annotations

import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from service.runs import LEASE
from service.store.values import State
from tests.chaos import invariants, quick
from tests.chaos.harness import Setup, System, on_postgresql, on_sqlite
from tests.chaos.processes import running, send, starved
from tests.chaos.recorder import Recorder
from tests.service.conftest import wait

HASTY = Setup(command="tests.chaos.hasty", jobs=2)
SLOW = {"trials": 1, "epochs": 100, "milliseconds": 100}
"""A job that runs until it is ended, as far as a test is concerned."""


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    """A server and two workers on PostgreSQL, which give up on each other soon."""
    with on_postgresql(tmp_path_factory.mktemp("system"), HASTY) as found:
        yield found


@pytest.fixture(scope="module")
def client(system):
    return Recorder(list(system.servers), system.token)


@pytest.fixture
def store(system):
    with system.store() as found:
        yield found


def begun(store, job_id):
    """The job once its driver has reported something."""
    wait(lambda: any(e.kind == "epoch" for e in store.events.page(job_id, 0, 1000)))
    return job_id


def holder(system: System, job_id):
    """The worker that runs a job."""
    return next(w for w in system.workers if w.pid and job_id in system.held_by(w.pid))


def ended(store, job_id):
    return wait(lambda: (job := store.jobs.get(job_id)).finished_at and job)


def test_a_paused_worker_that_comes_back_writes_nothing(system, client, store):
    job_id = begun(store, client.submit(quick.spec(1, trials=2, epochs=12, milliseconds=250)))
    paused = holder(system, job_id)
    (driver,) = running(system.settings.driver, [paused.pid])
    # It wakes when the other one is at work, and reads what its own driver had said and now says.
    paused.send(signal.SIGSTOP)
    wait(lambda: store.jobs.get(job_id).attempt == 2)
    begun_again = len(store.events.page(job_id, 0, 1000))
    wait(lambda: store.jobs.get(job_id).events > begun_again)
    paused.send(signal.SIGCONT)
    wait(lambda: driver not in running(system.settings.driver, [paused.pid]))
    job = ended(store, job_id)
    assert (job.state, job.attempt) == (State.SUCCEEDED, 2)
    assert invariants.examine(system, client, quick.undisturbed).violations == []


def test_what_hangs_or_is_dead_is_cancelled_all_the_same(system, client, store):
    hung, orphan = (client.submit(quick.spec(n, **SLOW)) for n in (2, 3))
    for job_id in (hung, orphan):
        begun(store, job_id)
    stopped = system.drivers()
    for driver in stopped:
        send(driver, signal.SIGSTOP)
    dead = holder(system, orphan)
    dead.hold(signal.SIGKILL)
    for job_id in (hung, orphan):
        assert client.cancel(job_id).state in ("cancelling", "cancelled")
    for job_id in (hung, orphan):
        assert ended(store, job_id).state is State.CANCELLED
        states = [e for e in store.events.page(job_id, 0, 1000) if e.kind == "state"]
        asked = next(e for e in states if e.data["state"].startswith("cancel"))
        assert (states[-1].created_at - asked.created_at).total_seconds() < 10
    for driver in stopped:  # that of the dead worker cannot see that it is alone
        send(driver, signal.SIGKILL)
    dead.start()
    assert invariants.examine(system, client, quick.undisturbed).violations == []


def test_the_same_request_at_once_and_after_a_lost_answer_is_one_job(system, client, store):
    before = len(store.jobs.page(1000))
    spec = quick.spec(4, trials=1, epochs=1)
    with ThreadPoolExecutor(20) as clients:
        ids = set(clients.map(lambda _: client.submit(spec, key="the same"), range(100)))
    server = next(iter(system.servers.values()))
    server.send(signal.SIGKILL)
    ids.add(client.submit(spec, key="the same"))
    assert len(ids) == 1
    assert len(store.jobs.page(1000)) == before + 1


@pytest.mark.chaos
def test_a_worker_with_a_twentieth_of_a_processor_keeps_its_job(tmp_path):
    # With the real lease: a worker that breathes rarely must not be taken for dead.
    with on_postgresql(tmp_path, Setup(jobs=1)) as system, system.store() as store:
        client = Recorder(list(system.servers), system.token)
        job_id = begun(store, client.submit(quick.spec(5, trials=1, epochs=400)))
        with starved(holder(system, job_id).pid, share=0.05):
            threading.Event().wait(2.5 * LEASE)
            assert store.jobs.get(job_id).attempt == 1
        assert (ended(store, job_id).state, store.jobs.get(job_id).attempt) == ("succeeded", 1)
        assert invariants.examine(system, client, quick.undisturbed).violations == []


@pytest.mark.chaos
@pytest.mark.parametrize("seconds", [0.0, 5.0, 20.0])
def test_a_killed_server_goes_on_with_what_ran_waited_and_was_being_cancelled(seconds, tmp_path):
    with on_sqlite(tmp_path, HASTY) as system, system.store() as store:
        client = Recorder(list(system.servers), system.token)
        cancelled = begun(store, client.submit(quick.spec(9, **SLOW)))
        (driver,) = system.drivers()
        send(driver, signal.SIGSTOP)  # else it would have ended before the server is killed
        ran = begun(store, client.submit(quick.spec(1)))
        waited = client.submit(quick.spec(2))
        client.cancel(cancelled)
        (server,) = system.servers.values()
        server.hold(signal.SIGKILL)
        assert store.jobs.get(cancelled).state is State.CANCELLING
        threading.Event().wait(seconds)
        send(driver, signal.SIGKILL)  # it is stopped, and cannot see that it is alone
        server.start()
        states = [ended(store, job_id).state for job_id in (ran, waited, cancelled)]
        assert states == [State.SUCCEEDED, State.SUCCEEDED, State.CANCELLED]
        assert invariants.examine(system, client, quick.undisturbed).violations == []
