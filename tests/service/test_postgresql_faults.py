"""PostgreSQL behind a server and a worker: restarted, blocked by others, without connections."""

import contextlib

import psycopg
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from service import runs, upkeep, worker
from service.app import create_app
from service.settings import Settings
from service.store import session
from service.store.repository import Repository
from service.store.values import State
from service.worker import Worker
from tests.chaos.postgres import Postgres
from tests.service.conftest import ESTIMATE, SPEC, refused, wait
from tests.service.test_disk import QUICK


@pytest.fixture
def restartable():
    found = Postgres()
    yield found
    found.close()


@pytest.fixture
def api(tmp_path, postgres, monkeypatch):
    """A server on PostgreSQL that waits less than usual for a connection and a lock."""
    monkeypatch.setattr(session, "_WAIT", 0.3)
    with psycopg.connect(postgres.get_uri(), autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS faults CASCADE")
        connection.execute("CREATE SCHEMA faults")
    options = "-csearch_path%3Dfaults%20-clock_timeout%3D300ms"
    settings = Settings(
        data_dir=tmp_path / "data",
        database_url=f"{postgres.get_uri()}&options={options}",
        worker=False,
    )
    with TestClient(
        create_app(settings), base_url="http://127.0.0.1", raise_server_exceptions=False
    ) as client:
        token = settings.token_path.read_text().strip()
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


@pytest.fixture
def stored(api):
    return api.app.state.services.repository


def postgres_connection(postgres):
    return psycopg.connect(postgres.get_uri(), autocommit=True)


def test_a_restart_of_the_database_costs_a_worker_no_result(restartable, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "AGAIN", 0.05)
    monkeypatch.setattr(worker, "POLL", 0.05)
    settings = Settings(
        data_dir=tmp_path / "data",
        database_url=restartable.url,
        executor="inline",
        driver="tests.chaos.quick_driver",
    )
    settings.prepare()
    repository = Repository.open(settings.database)
    at_work, care = Worker(settings, repository), upkeep.Upkeep(settings, repository)
    at_work.start()
    care.start()
    try:
        job = repository.jobs.add(QUICK, ESTIMATE)
        wait(lambda: repository.jobs.get(job.id).trials_done)
        restartable.restart()
        found = wait(lambda: (j := repository.jobs.get(job.id)).finished_at and j)
    finally:
        at_work.stop()
        care.stop()
        repository.close()
    assert (found.state, found.trials_done, found.attempt) == (State.SUCCEEDED, 4, 1)


def test_a_forgotten_transaction_holds_up_nobody_for_long(api, stored, postgres):
    job = stored.jobs.add(SPEC, ESTIMATE)
    with psycopg.connect(postgres.get_uri()) as idle:
        idle.execute("SELECT 1 FROM faults.jobs WHERE id = %s FOR UPDATE", [job.id])
        answer = api.post(f"/v1/jobs/{job.id}:cancel")
        refused(answer, 503)
        assert int(answer.headers["Retry-After"]) > 0
        assert api.get(f"/v1/jobs/{job.id}").json()["state"] == "queued"
    assert api.post(f"/v1/jobs/{job.id}:cancel").json()["state"] == "cancelled"


def test_where_no_connection_is_left_the_answer_is_to_come_again(api, stored):
    job = stored.jobs.add(SPEC, ESTIMATE)
    with contextlib.ExitStack() as held:
        for _ in range(stored.database.engine.pool.size()):
            held.enter_context(stored.database.engine.connect())
        refused(api.get(f"/v1/jobs/{job.id}"), 503)
    assert api.get(f"/v1/jobs/{job.id}").status_code == 200


def test_a_process_that_stops_in_a_transaction_gives_up_its_locks(postgres, monkeypatch):
    limits = session._LIMITS | {"idle_in_transaction_session_timeout": "50ms"}
    monkeypatch.setattr(session, "_LIMITS", limits)
    database = session.Database(postgres.get_uri())
    with postgres_connection(postgres) as other, database.read() as stopped:
        stopped.execute(text("SELECT pg_advisory_xact_lock(77)"))
        other.execute("SET statement_timeout = '20s'")
        other.execute("SELECT pg_advisory_lock(77)")
        with pytest.raises(DBAPIError, match="idle-in-transaction"):
            stopped.execute(text("SELECT 1"))
    database.close()
