"""A job on a cluster of real nodes without a shared folder: spread, a node lost, the same front."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from resnas.results import TrialResult
from resnas.searching import front_of, search
from resnas.spec import JobSpec, SearchSpec, TrainingSpec
from resnas.storage import Storage
from service import jobs
from service.app import create_app
from service.settings import Settings
from service.store.repository import Repository
from service.store.values import Job, State
from service.transitions import Event, moves
from service.worker import Worker
from tests.cluster.nodes import cluster
from tests.service.conftest import wait

pytestmark = pytest.mark.chaos

SPEC = JobSpec(
    backbone="vgg_small",
    dataset="part:0.5:digits",
    budget_gmacs=0.006,
    trials=2,
    training=TrainingSpec(epochs=2, batch_size=256, warmup=0.0),
    search=SearchSpec(parallel=2),
)


@dataclass(frozen=True)
class Ran:
    """A job that has ended, and what it was run with."""

    settings: Settings
    repository: Repository
    job: Job
    lost: int
    """The trial whose node was killed under it."""


def places(settings: Settings, job: Job) -> list[tuple[int, str]]:
    """(trial, node) in the order in which they came together."""
    log: Path = settings.log_path(job.id)
    text = log.read_text() if log.exists() else ""
    return [(int(n), host) for n, host in re.findall(r"trial (\d+) runs on (\S+)", text)]


@pytest.fixture(scope="module")
def ran(s3: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """A job of which one node is killed while two trials run on two nodes."""
    import s3fs

    s3fs.S3FileSystem().mkdir("cluster")
    with pytest.MonkeyPatch.context() as patch, cluster(2) as nodes:
        for name, value in nodes.environment.items():
            patch.setenv(name, value)
        settings = Settings(
            data_dir=tmp_path_factory.mktemp("data"),
            worker=False,
            ray_address=nodes.address,
            storage_url="s3://cluster/resnas",
        )
        settings.prepare()
        repository = Repository.open(settings.database)
        worker = Worker(settings, repository)
        worker.start()
        try:
            job = jobs.submit(repository, jobs.check(SPEC, settings.datasets_dir))
            (_, _), (lost, host) = wait(lambda: places(settings, job)[1:] and places(settings, job))
            next(node for node in nodes.nodes if node.host == host).kill()
            job = wait(lambda: (now := repository.jobs.get(job.id)).finished_at and now)
        finally:
            worker.stop()
        yield Ran(settings, repository, job, lost)
        repository.close()


def results(ran: Ran) -> list[TrialResult]:
    return [
        trial.model_copy(update={"seconds": 0.0})
        for trial in sorted(ran.repository.trials.finished(ran.job.id), key=lambda t: t.number)
    ]


def test_trials_are_spread_over_the_nodes_and_a_lost_one_runs_again_elsewhere(ran):
    assert (ran.job.state, ran.job.crashes, ran.job.attempt) == (State.SUCCEEDED, 0, 1)
    placed = places(ran.settings, ran.job)
    assert {host for _, host in placed[:2]} == {"127.0.0.2", "127.0.0.3"}
    first, again = [host for number, host in placed if number == ran.lost]
    assert first != again
    assert len(placed) == SPEC.trials + 1


def test_the_trials_and_the_front_are_those_of_an_undisturbed_search(ran):
    undisturbed = search(SPEC)
    expected = [trial.model_copy(update={"seconds": 0.0}) for trial in undisturbed.trials]
    assert results(ran) == expected
    assert front_of(results(ran)) == front_of(expected)


def test_weights_lie_in_the_bucket_and_checkpoints_are_gone(ran):
    assert set(ran.settings.artifacts.digests()) == {trial.weights for trial in results(ran)}
    assert not any(name.startswith("work/") for name in Storage(ran.settings.storage_url).names())
    assert list((ran.settings.data_dir / "artifacts").iterdir()) == []


def test_an_export_is_fetched_from_the_bucket(ran):
    (trial, *_) = ran.repository.trials.page(ran.job.id, 10)
    exports, content = ran.repository.exports, b"a network" * 300_000
    digest = ran.settings.artifacts.put(content)
    asked = exports.add(trial.architecture_id, "onnx", ran.settings.artifacts.holds)
    _, lease = exports.claim("tests", 60, moves(Event.CLAIM))
    facts = {"file_name": "n.onnx", "size": len(content), "sha256": digest, "manifest": {}}
    exports.deliver(lease, moves(Event.SUCCEED), **facts)
    with TestClient(create_app(ran.settings), base_url="http://127.0.0.1") as client:
        token = ran.settings.token_path.read_text().strip()
        client.headers["Authorization"] = f"Bearer {token}"
        answer = client.get(f"/v1/exports/{asked.id}/content")
    assert answer.content == content
    assert answer.headers["etag"] == f'"{digest}"'
    assert answer.headers["content-length"] == str(len(content))
    assert answer.headers["content-disposition"].endswith("n.onnx")
