"""A real server with its worker, and a small job that it has done."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from resnas.spec import JobSpec, TrainingSpec
from service.answers import Job
from service.local_server import LocalServer, local_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RESNAS_EXECUTOR", "inline")  # starts at once; Ray has its own tests
        with local_server(tmp_path_factory.mktemp("server") / "data") as server:
            yield server


@pytest.fixture(scope="session")
def finished(server: LocalServer) -> Job:
    spec = JobSpec(
        backbone="vgg_small",
        dataset="digits",
        budget_gmacs=0.1,
        trials=2,
        training=TrainingSpec(epochs=1, batch_size=256, warmup=0),
    )
    with server.client() as client:
        submitted = client.submit(spec)
        *_, job = client.watch(submitted.id)
    assert job.state == "succeeded", job.error
    return job


@pytest.fixture
def best(server: LocalServer, finished: Job, monkeypatch: pytest.MonkeyPatch) -> str:
    """An architecture on the running server, which the commands find."""
    monkeypatch.setenv("RESNAS_URL", server.url)
    monkeypatch.setenv("RESNAS_DATA_DIR", str(server.data_dir))
    with server.client() as client:
        found = client.front(finished.id).best_under_budget
    assert found is not None
    return found.architecture_id
