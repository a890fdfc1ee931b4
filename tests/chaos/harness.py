"""The real system as processes, on either database, and every way to hurt it."""

from __future__ import annotations

import random
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
from sqlalchemy import text

from service import interpreter
from service.settings import Settings
from service.store.repository import Repository
from tests.chaos.postgres import Postgres
from tests.chaos.processes import Program, Supervisor, descendants, running, send

QUICK = "tests.chaos.quick_driver"
START_SECONDS = 90.0
MAX_STARTS = 3
"""A server that has died so often before it was ready once never will be."""


@dataclass
class System:
    """Servers and workers that run, and where they are found.

    Attributes:
        settings: those of all its processes.
        servers: by address; on SQLite the one server is the worker, too.
        workers: those that only run jobs.
        postgres: the database's server; None on SQLite.
    """

    settings: Settings
    servers: dict[str, Program] = field(default_factory=dict)
    workers: list[Program] = field(default_factory=list)
    postgres: Postgres | None = None
    thawing: list[threading.Timer] = field(default_factory=list)

    @property
    def programs(self) -> list[Program]:
        """All of its programs."""
        return [*self.servers.values(), *self.workers]

    @property
    def token(self) -> str:
        """Of the first start."""
        return self.settings.token_path.read_text().strip()

    def running_jobs(self) -> list[Program]:
        """The programs that run jobs."""
        return self.workers or list(self.servers.values())

    def pids(self) -> list[int]:
        """Of the programs that run now."""
        return [program.pid for program in self.programs if program.pid]

    def drivers(self) -> list[int]:
        """The processes that do a job now."""
        return running(self.settings.driver, self.pids())

    @contextmanager
    def store(self) -> Iterator[Repository]:
        """A look into the database."""
        repository = Repository.connect(self.settings.database, 2)
        try:
            yield repository
        finally:
            repository.close()

    def held_by(self, pid: int) -> list[str]:
        """The jobs whose lease a process holds."""
        query = text(
            "SELECT id FROM jobs WHERE state IN ('running', 'cancelling') AND worker LIKE :name"
        )
        with self.store() as repository, repository.database.read() as session:
            return list(session.scalars(query, {"name": f"%:{pid}:%"}))

    def wait_until_ready(self) -> None:
        """Until every server answers that it can work.

        Raises:
            TimeoutError: one does not, or dies again and again.
        """
        deadline = time.monotonic() + START_SECONDS
        for url, server in self.servers.items():
            while not _answers(f"{url}/readyz"):
                if time.monotonic() > deadline or server.starts > MAX_STARTS:
                    said = server.log.read_text().splitlines() if server.log.exists() else []
                    raise TimeoutError(f"{url} is not ready; {server.log}: {said[-1:]}")
                time.sleep(0.05)

    # Ways to hurt it: each returns the process that was hit, None where there was none. What has
    # only begun to start is left alone: else, hit often enough, nothing would ever run.

    def kill_server(self) -> int | None:
        """SIGKILL a server."""
        return _strike(self.servers.values(), signal.SIGKILL)

    def end_server(self) -> int | None:
        """Ask a server to end, as a deployment does."""
        return _strike(self.servers.values(), signal.SIGTERM)

    def kill_worker(self) -> int | None:
        """SIGKILL a worker; its drivers see that it is gone."""
        return _strike(self.running_jobs(), signal.SIGKILL)

    def freeze_worker(self) -> int | None:
        """SIGSTOP a worker for a while."""
        return self.freeze(_any([p.pid for p in self.running_jobs() if p.pid and p.up]))

    def kill_driver(self) -> int | None:
        """SIGKILL the process that does a job."""
        return send(_any(self.drivers()), signal.SIGKILL)

    def freeze_driver(self) -> int | None:
        """SIGSTOP the process that does a job for a while."""
        return self.freeze(_any(self.drivers()))

    def kill_below_driver(self) -> int | None:
        """SIGKILL something that a driver started: a part of Ray, or a trial."""
        return send(_any(descendants(self.drivers())), signal.SIGKILL)

    def restart_database(self) -> int | None:
        """PostgreSQL dies at once and comes back."""
        return self.postgres.restart() if self.postgres else None

    def kill_backend(self) -> int | None:
        """SIGKILL one of PostgreSQL's own processes."""
        return self.postgres.kill_backend() if self.postgres else None

    def freeze(self, pid: int | None, seconds: float = 2.0) -> int | None:
        """SIGSTOP a process, and let it go on after so many seconds."""
        if send(pid, signal.SIGSTOP):
            timer = threading.Timer(seconds, send, (pid, signal.SIGCONT))
            self.thawing.append(timer)
            timer.start()
        return pid


Hurt = Callable[[System], int | None]


@dataclass(frozen=True)
class Setup:
    """What a system consists of.

    Attributes:
        command: the module that is the `resnas` command.
        driver: the module that does a job.
        jobs: at the same time, of each program that runs jobs.
        servers, workers: how many, on PostgreSQL; on SQLite one server is all.
        executor: what runs the trials.
    """

    command: str = "service.cli"
    driver: str = QUICK
    jobs: int = 4
    servers: int = 1
    workers: int = 2
    executor: str = "inline"


@contextmanager
def on_sqlite(folder: Path, setup: Setup = Setup()) -> Iterator[System]:
    """One `resnas serve` that runs jobs, too."""
    with _started(System(_settings(folder, "", setup)), folder, setup, 1, 0) as system:
        yield system


@contextmanager
def on_postgresql(folder: Path, setup: Setup = Setup()) -> Iterator[System]:
    """PostgreSQL, servers that run no jobs, and workers."""
    postgres = Postgres()
    try:
        system = System(_settings(folder, postgres.url, setup), postgres=postgres)
        with _started(system, folder, setup, setup.servers, setup.workers):
            yield system
    finally:
        postgres.close()


STARTS = {"sqlite": on_sqlite, "postgresql": on_postgresql}


def _settings(folder: Path, database_url: str, setup: Setup) -> Settings:
    return Settings(
        data_dir=folder / "data",
        database_url=database_url,
        driver=setup.driver,
        executor=setup.executor,
        jobs=setup.jobs,
    )


@contextmanager
def _started(
    system: System, folder: Path, setup: Setup, servers: int, workers: int
) -> Iterator[System]:
    environment = _environment(system.settings)
    for number in range(servers):
        port = _free_port()
        url, log = f"http://127.0.0.1:{port}", folder / f"server{number}.log"
        works = partial(_answers, f"{url}/readyz")
        words = ["serve", "--port", str(port), "--no-worker" if workers else "--worker"]
        command = interpreter.command(setup.command, *words)
        system.servers[url] = Program(command, environment, log, works)
    for number in range(workers):
        command, log = interpreter.command(setup.command, "worker"), folder / f"worker{number}.log"
        system.workers.append(Program(command, environment, log, _waits))
    with ExitStack() as held:
        held.callback(_thaw, system)
        held.enter_context(Supervisor(system.programs))
        for program in system.programs:
            program.start()
        system.wait_until_ready()
        yield system


def _thaw(system: System) -> None:
    for timer in system.thawing:
        timer.cancel()


def _environment(settings: Settings) -> dict[str, str]:
    """Ours, with no setting of the user's."""
    own = {
        "RESNAS_DATA_DIR": str(settings.data_dir),
        "RESNAS_DATABASE_URL": settings.database_url,
        "RESNAS_DRIVER": settings.driver,
        "RESNAS_EXECUTOR": settings.executor,
        "RESNAS_JOBS": str(settings.jobs),
    }
    inherited = interpreter.environment().items()
    return {name: v for name, v in inherited if not name.startswith("RESNAS_")} | own


def _strike(programs: Iterable[Program], number: int) -> int | None:
    up = [program for program in programs if program.up]
    return random.choice(up).send(number) if up else None


def _any(pids: Sequence[int]) -> int | None:
    return random.choice(pids) if pids else None


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _waits(said: str) -> bool:
    return "waits for jobs" in said


def _answers(url: str, _: str = "") -> bool:
    try:
        return httpx.get(url, timeout=2).is_success
    except httpx.TransportError:
        return False
