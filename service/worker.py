"""Claims jobs and exports, runs each in a child process, and keeps their leases."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable

from service.export_run import ExportRun
from service.runs import LEASE, JobRun, Run
from service.settings import Settings
from service.store.repository import Repository
from service.transitions import Event, moves
from service.upkeep import undisturbed

BEAT = 1.0
"""Seconds between two heartbeats; a wish to cancel is seen as late as that."""
POLL = 0.5
"""Seconds between two looks at an empty queue."""

_log = logging.getLogger("resnas.worker")


def own_repository(settings: Settings) -> Repository:
    """The store, by connections that are a worker's own.

    One for the thread of each job, of exports, of the heart, and two for the upkeep. All of them
    find single rows, often, for which one plan is as good as another.
    """
    return Repository.connect(
        settings.database,
        settings.jobs_at_once + 4,
        durable=settings.durable,
        planned_once=True,
    )


class Worker:
    """Some jobs and one export at a time.

    Its repository should be its own: where it shares connections with a busy server, its
    heartbeats come late.

    Blocking: `run(stop)` in a thread or a program of its own. In the server: `start()`, `stop()`.
    """

    def __init__(self, settings: Settings, repository: Repository) -> None:
        self.settings = settings
        self.repository = repository
        self.name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._runs: set[Run] = set()
        self._runs_lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Run in a thread of this process."""
        self._thread = threading.Thread(target=self.run, args=(self._stop,), name="worker")
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a job that runs goes back to the queue."""
        self._stop.set()
        if self._thread:
            self._thread.join()

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; what runs then is ended and goes back to the queue."""
        over = threading.Event()
        queues = [
            threading.Thread(target=self._work_off, args=(take, stop), name=name)
            for name, take in (*self._job_queues(), ("exports", self._export))
        ]
        keepers = [
            threading.Thread(target=keep, args=(over,), name=name)
            for name, keep in (("heart", self._keep_leases), ("guard", self._end_the_unheard))
        ]
        for thread in (*queues, *keepers):
            thread.start()
        stop.wait()
        for run in self.running():
            run.end()
        for thread in queues:
            thread.join()
        over.set()
        for thread in keepers:
            thread.join()

    def running(self) -> list[Run]:
        """What this worker is at."""
        with self._runs_lock:
            return list(self._runs)

    def _job_queues(self) -> list[tuple[str, Callable[[], Run | None]]]:
        return [(f"jobs-{n}", self._job) for n in range(self.settings.jobs_at_once)]

    def _work_off(self, take: Callable[[], Run | None], stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                run = take()
                if run is None:
                    stop.wait(POLL)
                else:
                    self._see_through(run, stop)
            except Exception:  # noqa: BLE001 - whatever befell one of them, the others go on
                _log.exception("the work goes on in a moment")
                stop.wait(BEAT)

    def _see_through(self, run: Run, stop: threading.Event) -> None:
        with self._runs_lock:
            self._runs.add(run)
        try:
            if stop.is_set():
                run.end()  # whoever set it may have looked before this one was there
            run.follow()
        finally:
            with self._runs_lock:
                self._runs.discard(run)

    def _job(self) -> Run | None:
        most = self.settings.running_per_owner
        claimed = self.repository.jobs.claim(self.name, LEASE, moves(Event.CLAIM), most)
        return JobRun(self.settings, self.repository, *claimed) if claimed else None

    def _export(self) -> Run | None:
        claimed = self.repository.exports.claim(self.name, LEASE, moves(Event.CLAIM))
        return ExportRun(self.settings, self.repository, *claimed) if claimed else None

    def _keep_leases(self, over: threading.Event) -> None:
        while not over.wait(BEAT):
            for run in self.running():
                undisturbed(run.beat)

    def _end_the_unheard(self, over: threading.Event) -> None:
        """Kill what has lost its lease by now, in a thread that never waits for the database."""
        while not over.wait(BEAT):
            for run in self.running():
                undisturbed(run.end_if_unheard)
