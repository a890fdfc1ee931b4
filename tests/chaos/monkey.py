"""A monkey that hurts a random process every few seconds, while jobs keep coming in."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from sqlalchemy.exc import OperationalError

from resnas.spec import JobSpec
from service.store.values import State
from tests.chaos.harness import Hurt, System
from tests.chaos.recorder import Recorder

FATAL = frozenset({"kill_server", "kill_worker"})
"""Blows after which the jobs of the process that was hit have to be run by somebody else."""
DRAIN_SECONDS = 900.0
"""So long may it take until every job is over, once nothing is hurt any more."""


@dataclass(frozen=True)
class Load:
    """Jobs that are handed in one after the other, a fixed time apart, whatever befalls them.

    Attributes:
        specs: of the jobs.
        interval: seconds between two of them.
        cancelled: the share that somebody cancels a moment later.
    """

    specs: Sequence[JobSpec]
    interval: float
    cancelled: float = 0.0


@dataclass
class Wound:
    """One blow: what, when, and the jobs that ran in the process that was hit."""

    kind: str
    at: float
    jobs: list[str]


@dataclass
class Ordeal:
    """What was done to a system, and how long its jobs took."""

    wounds: list[Wound] = field(default_factory=list)
    jobs: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Jobs an hour."""
        return 3600 * self.jobs / self.seconds

    def kills(self) -> Counter[str]:
        """How many blows of each kind."""
        return Counter(wound.kind for wound in self.wounds)


def run(
    system: System,
    recorder: Recorder,
    load: Load,
    kinds: Sequence[Hurt] = (),
    every: float = 5.0,
    seconds: float = 0.0,
) -> Ordeal:
    """Hand in the load, hurt something every so often, and wait until all jobs are over.

    Args:
        system: to be hurt.
        recorder: its client.
        load: what is handed in.
        kinds: of blows.
        every: seconds from one blow to the next.
        seconds: how long that goes on; it ends earlier where all jobs are over.
    """
    ordeal, over = Ordeal(), threading.Event()
    began = time.monotonic()
    with ThreadPoolExecutor(2) as clients:
        try:
            handing_in = clients.submit(_hand_in, recorder, load, over)
            looking = clients.submit(_look, recorder, over)
            while kinds and time.monotonic() - began < seconds and not over.wait(every):
                if handing_in.done() and not _left(system):
                    break
                _hurt(system, random.choice(kinds), ordeal.wounds)
            handing_in.result()
        finally:
            over.set()
        looking.result()
    wait_until_over(system)
    ordeal.jobs = len(load.specs)
    ordeal.seconds = _span(system)
    return ordeal


def _hurt(system: System, hurt: Hurt, wounds: list[Wound]) -> None:
    before = _held(system) if hurt.__name__ in FATAL else {}
    pid = hurt(system)
    if pid is not None:
        wounds.append(Wound(hurt.__name__, time.time(), before.get(pid, [])))


def _held(system: System) -> dict[int, list[str]]:
    """The jobs that each program runs; nothing where the database is away."""
    try:
        return {pid: system.held_by(pid) for pid in system.pids()}
    except OperationalError:  # it recovers from the last blow; the next one falls all the same
        return {}


def _hand_in(recorder: Recorder, load: Load, over: threading.Event) -> None:
    """The whole load, unless it is `over` before."""
    began = time.monotonic()
    for number, spec in enumerate(load.specs):
        over.wait(max(0.0, began + number * load.interval - time.monotonic()))
        job_id = recorder.submit(spec)
        if random.random() < load.cancelled:
            recorder.cancel(job_id)


def _look(recorder: Recorder, over: threading.Event) -> None:
    """Read, as others do meanwhile, and have tried again what failed."""
    while not over.wait(0.2):
        known = list(recorder.submitted().values())
        if known and (job := recorder.read(random.choice(known))).state == "failed":
            recorder.retry(job.job_id)


def settle(system: System, recorder: Recorder) -> None:
    """Have what failed tried again, as its user would, and wait for it."""
    with system.store() as repository:
        for job in repository.jobs.page(1_000_000):
            if job.state == "failed":
                recorder.retry(job.id)
    wait_until_over(system)


def wait_until_over(system: System) -> None:
    """Until every job has ended, or the time for it is over."""
    deadline = time.monotonic() + DRAIN_SECONDS
    while _left(system) and time.monotonic() < deadline:
        time.sleep(0.1)


def _left(system: System) -> int:
    """How many jobs have not ended; one where the database does not say."""
    try:
        with system.store() as repository:
            return sum(repository.jobs.count().values())
    except OperationalError:
        return 1


def _span(system: System) -> float:
    """Seconds from the first job's submission to the last one's end."""
    with system.store() as repository:
        jobs = repository.jobs.page(1_000_000)
    ends = [job.finished_at.timestamp() for job in jobs if job.finished_at]
    return max(ends) - min(job.created_at.timestamp() for job in jobs)


def again_after(system: System, wounds: Sequence[Wound]) -> list[float]:
    """Seconds from each blow until every job that it interrupted ran again."""
    found = []
    with system.store() as repository:
        for wound in wounds:
            for job_id in wound.jobs:
                events = repository.events.page(job_id, 0, 1_000_000)
                begun = [e.created_at for e in events if e.data.get("state") == State.RUNNING]
                later = [moment.timestamp() - wound.at for moment in begun]
                found += [seconds for seconds in later if seconds > 0][:1]
    return found
