"""Longer: machines with networks of their own, of which some vanish, and the head as well."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from resnas.searching import search
from service import jobs
from service.settings import Settings
from service.store.repository import Repository
from service.store.values import Job, State
from service.worker import Worker
from tests.cluster.nodes import Cluster, cluster
from tests.cluster.test_job import SPEC, places
from tests.service.conftest import wait

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]
LONG = SPEC.model_copy(
    update={"trials": 6, "training": SPEC.training.model_copy(update={"epochs": 6})}
)
_BRIDGE, _HERE = "resnas-br", "10.99.7.1"


@pytest.fixture
def settings(s3: str, bucket: str, tmp_path: Path) -> Settings:
    found = Settings(data_dir=tmp_path / "data", worker=False, storage_url=f"{bucket}/resnas")
    found.prepare()
    return found


@pytest.fixture
def repository(settings: Settings) -> Iterator[Repository]:
    found = Repository.open(settings.database)
    yield found
    found.close()


def joined(settings: Settings, nodes: Cluster, patch: pytest.MonkeyPatch) -> Settings:
    """The settings of a worker of that cluster, whose processes know its token."""
    for name, value in nodes.environment.items():
        patch.setenv(name, value)
    return Settings.model_validate(settings.model_dump() | {"ray_address": nodes.address})


def test_a_head_that_dies_is_named_and_the_job_goes_on_with_another(
    settings, repository, monkeypatch
):
    with cluster(1) as nodes:
        worker = Worker(joined(settings, nodes, monkeypatch), repository)
        worker.start()
        job = jobs.submit(repository, jobs.check(LONG, settings.datasets_dir))
        wait(lambda: repository.jobs.get(job.id).trials_done)
        nodes.nodes[0].kill()
        wait(lambda: repository.jobs.get(job.id).error)
        worker.stop()
    assert f"{nodes.address} does not answer any more" in settings.log_path(job.id).read_text()
    with cluster(1) as nodes:
        worker = Worker(joined(settings, nodes, monkeypatch), repository)
        worker.start()
        ended = wait(lambda: (now := repository.jobs.get(job.id)).finished_at and now)
        worker.stop()
    assert ended.state is State.SUCCEEDED
    compare(repository, job.id)


def compare(repository: Repository, job_id: str) -> None:
    """The trials of a job are those of a search that nothing disturbed."""
    found = sorted(repository.trials.finished(job_id), key=lambda trial: trial.number)
    timeless = {"seconds": 0.0}
    assert [trial.model_copy(update=timeless) for trial in found] == [
        trial.model_copy(update=timeless) for trial in search(LONG).trials
    ]


@pytest.fixture
def network() -> Iterator[None]:
    """A bridge that machines can be plugged into: network namespaces, which need a right."""
    if not shutil.which("ip") or os.geteuid() != 0:
        pytest.skip("needs ip and the right to make network namespaces")
    if ip("link", "add", _BRIDGE, "type", "bridge"):
        pytest.skip("no network namespaces to be had here")
    ip("addr", "add", f"{_HERE}/24", "dev", _BRIDGE)
    ip("link", "set", _BRIDGE, "up")
    yield
    for number in range(2, 5):
        ip("netns", "del", f"resnas-{number}")
    ip("link", "del", _BRIDGE)


def ip(*words: str) -> int:
    return subprocess.run(["ip", *words], check=False, capture_output=True).returncode


def plug_in(nodes: Cluster, number: int) -> None:
    """Another machine: its own network, on a cable of its own."""
    name, outside, inside = f"resnas-{number}", f"resnas-o{number}", f"resnas-i{number}"
    ip("netns", "add", name)
    ip("link", "add", outside, "type", "veth", "peer", "name", inside, "netns", name)
    ip("link", "set", outside, "master", _BRIDGE, "up")
    for words in (
        ("addr", "add", f"10.99.7.{number}/24", "dev", inside),
        ("link", "set", inside, "up"),
        ("link", "set", "lo", "up"),
    ):
        ip("-n", name, *words)
    nodes.add(f"10.99.7.{number}", ("ip", "netns", "exec", name))


def placed(settings: Settings, job: Job, count: int) -> list[tuple[int, str]]:
    """Which trials run where, once there are so many."""
    return wait(lambda: (now := places(settings, job))[count - 1 :] and now)


def test_machines_that_are_cut_off_are_given_up_and_their_trials_run_elsewhere(
    network, repository, tmp_path, monkeypatch
):
    settings = Settings(data_dir=tmp_path / "data", worker=False)
    with cluster(0, host=_HERE) as nodes:
        for number in (2, 3, 4):
            plug_in(nodes, number)
        worker = Worker(joined(settings, nodes, monkeypatch), repository)
        worker.start()
        job = jobs.submit(repository, jobs.check(LONG, settings.datasets_dir))
        for count in (2, 4):
            _, host = placed(settings, job, count)[-1]
            ip("link", "set", f"resnas-o{host.rpartition('.')[2]}", "down")
        ended = wait(lambda: (now := repository.jobs.get(job.id)).finished_at and now)
        worker.stop()
    assert (ended.state, ended.attempt) == (State.SUCCEEDED, 1)
    assert len(places(settings, job)) > LONG.trials
    compare(repository, job.id)
