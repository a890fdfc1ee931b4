"""What this program does in a second: jobs handed out and given back, fronts and lists answered."""

from __future__ import annotations

import json
import math
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
from sqlalchemy import insert, update

from resnas.results import Architecture, TrialState
from resnas.spec import JobSpec
from service.local_server import LocalServer, local_server
from service.store.ids import new_id
from service.store.models import ArchitectureRow, EventRow, JobRow, TrialRow
from service.store.repository import Repository
from service.transitions import Event, moves
from tests.benchmarks._service.together import together
from tests.service.conftest import ESTIMATE, SPEC, result
from tests.service.stored import ARCHITECTURE

_CHUNK = 5000


def handouts(url: str, *, jobs: int, owners: int, workers: int, threads: bool) -> tuple[float, int]:
    """(claims and finishes of a job per second, jobs that were handed out twice)."""
    with _opened(url) as repository:
        _queue(repository, jobs, owners)
        names = [f"worker {number}" for number in range(workers)]
        if threads:
            start = time.perf_counter()
            with ThreadPoolExecutor(workers) as pool:
                done = list(pool.map(lambda name: _work_off((repository, name)), names))
            seconds = time.perf_counter() - start
        else:
            done, seconds = together(_connected, _work_off, [(url, name) for name in names])
    found = [job for taken in done for job in taken]
    assert len(set(found)) == jobs, "a job was not handed out"
    return jobs / seconds, len(found) - jobs


def _connected(url: str, worker: str) -> tuple[Repository, str]:
    repository = Repository.connect(url, 1, planned_once=True)  # as a worker does
    repository.ping()
    return repository, worker


def _work_off(given: tuple[Repository, str]) -> list[str]:
    (repository, worker), taken = given, []
    claim, succeed = moves(Event.CLAIM), moves(Event.SUCCEED)
    while claimed := repository.jobs.claim(worker, 60, claim):
        repository.jobs.finish(claimed[1], succeed)
        taken.append(claimed[1].id)
    return taken


def _queue(repository: Repository, jobs: int, owners: int) -> None:
    facts = {"spec": SPEC.model_dump(mode="json"), "estimate": ESTIMATE, "trials_total": 2}
    rows = [
        facts | {"id": new_id(), "owner": f"owner {n % owners}", "rank": -(n % 3), "events": 1}
        for n in range(jobs)
    ]
    told = [{"job_id": row["id"], "number": 1, "kind": "state", "data": {}} for row in rows]
    _insert(repository, JobRow, rows)
    _insert(repository, EventRow, told)


def _insert(repository: Repository, table: type, rows: list[dict]) -> None:
    with repository.database.write() as session:
        for start in range(0, len(rows), _CHUNK):
            session.execute(insert(table), rows[start : start + _CHUNK])


@contextmanager
def _opened(url: str) -> Iterator[Repository]:
    repository = Repository.open(url)
    try:
        yield repository
    finally:
        repository.close()


def any_sizes(draw: random.Random) -> Architecture:
    """An architecture of `mobilenet_small` whose maps have any sizes."""
    before, strides, sizes = 32, {}, {}
    for stage, largest in ((1, 28), (2, 16), (3, 10)):
        size = draw.randint(4, min(before, largest))
        site = f"stage{stage}.0.depthwise.conv"
        strides[site], sizes[site] = (before / size, before / size), (size, size)
        before = size
    return ARCHITECTURE.model_copy(update={"strides": strides, "sizes": sizes})


def fill(
    url: str, trials: int, architecture_of: Callable[[random.Random], Architecture] | None = None
) -> str:
    """A job with so many completed trials, as a long search would leave them; its id.

    Args:
        url: of the database.
        trials: how many.
        architecture_of: draws each one's architecture; None: all have the same.
    """
    draw, sizes = random.Random(0), random.Random(1)
    with _opened(url) as repository:
        job = repository.jobs.add(JobSpec.model_validate(SPEC), ESTIMATE)
        example = result(0)
        architectures, rows = [], []
        for number in range(trials):
            gmacs = 10 ** draw.uniform(-2, 0.5)
            accuracy = 0.92 - 0.3 * math.exp(-3 * gmacs) + draw.gauss(0, 0.01)
            place = {"macs": int(gmacs * 1e9), "val_accuracy": round(5000 * accuracy) / 5000}
            found = architecture_of(sizes) if architecture_of else example.architecture
            architecture, document = new_id(), found.model_dump(mode="json")
            architectures.append({"id": architecture, "job_id": job.id, "document": document})
            rows.append(
                {
                    "id": new_id(),
                    "job_id": job.id,
                    "number": number,
                    **place,
                    "state": TrialState.COMPLETE,
                    "lam": 1.0,
                    "resizer": "dynopool",
                    "architecture_id": architecture,
                    "result": example.model_copy(
                        update={"number": number, "seed": number, "architecture": found} | place
                    ).model_dump(mode="json"),
                }
            )
        _insert(repository, ArchitectureRow, architectures)
        _insert(repository, TrialRow, rows)
        with repository.database.write() as session:
            session.execute(update(JobRow).where(JobRow.id == job.id).values(trials_done=trials))
    return job.id


def answer(url: str, token: str, path: str, times: int = 15) -> tuple[float, int]:
    """(middle of the milliseconds that a GET takes, bytes of its body)."""
    with httpx.Client(
        base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60
    ) as client:
        size = len(client.get(path).raise_for_status().content)
        waits = [_timed(lambda: client.get(path)) for _ in range(times)]
    return 1000 * statistics.median(waits), size


def _timed(ask: Callable[[], object]) -> float:
    start = time.perf_counter()
    ask()
    return time.perf_counter() - start


def submissions(server: LocalServer, *, clients: int, seconds: float, pause: float) -> list[float]:
    """How many milliseconds jobs took to be handed in, sorted."""
    token = (server.data_dir / "token").read_text().strip()
    options = {"--clients": clients, "--seconds": seconds, "--pause": pause}
    words = [str(word) for option in options.items() for word in option]
    program = [sys.executable, "-m", "tests.benchmarks._service.clients"]
    ran = subprocess.run(
        [*program, server.url, token, *words], capture_output=True, text=True, check=True
    )
    return json.loads(ran.stdout)


@contextmanager
def served(data_dir: Path) -> Iterator[tuple[LocalServer, str]]:
    """A server that runs no jobs, and its token."""
    with local_server(data_dir, worker=False) as server:
        yield server, (data_dir / "token").read_text().strip()
