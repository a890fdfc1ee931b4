"""Claims jobs and exports, runs each in a child process, and keeps their leases."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable

from service.jobs import Event, moves
from service.runs import LEASE, ExportRun, JobRun, Run
from service.settings import Settings
from service.store.repository import Repository

BEAT = 2.0
"""Seconds between two heartbeats; a wish to cancel is seen as late as that."""
CONNECTIONS = 4
"""To the database: a thread for jobs, one for exports, the heart, and one to spare."""
POLL = 0.5
"""Seconds between two looks at an empty queue."""

_log = logging.getLogger("resnas.worker")


class Worker:
    """One job and one export at a time.

    Its repository should be its own: where it shares connections with a busy server, its
    heartbeats come late.

    Blocking: `run(stop)` in a thread or a program of its own. In the server: `start()`, `stop()`.
    """

    def __init__(self, settings: Settings, repository: Repository) -> None:
        self.settings = settings
        self.repository = repository
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
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
            for name, take in (("jobs", self._job), ("exports", self._export))
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
        claimed = self.repository.jobs.claim(self.owner, LEASE, moves(Event.CLAIM))
        return JobRun(self.settings, self.repository, *claimed) if claimed else None

    def _export(self) -> Run | None:
        claimed = self.repository.exports.claim(self.owner, LEASE, moves(Event.CLAIM))
        return ExportRun(self.settings, self.repository, *claimed) if claimed else None

    def _keep_leases(self, over: threading.Event) -> None:
        """Renew our own, and take away those that nobody renews any more."""
        while not over.wait(BEAT):
            for run in self.running():
                _undisturbed(run.beat)
            _undisturbed(self._take_away)

    def _take_away(self) -> None:
        for queue in (self.repository.jobs, self.repository.exports):
            for lost in queue.expire(moves(Event.RELEASE), moves(Event.FAIL)):
                _log.warning("the lease of %s ran out", lost)

    def _end_the_unheard(self, over: threading.Event) -> None:
        """Kill what has lost its lease by now, in a thread that never waits for the database."""
        while not over.wait(BEAT):
            for run in self.running():
                _undisturbed(run.end_if_unheard)


def _undisturbed(step: Callable[[], None]) -> None:
    """Do `step`; a failure is logged, and its thread lives on to do the next one."""
    try:
        step()
    except Exception as error:  # noqa: BLE001 - the leases of all runs hang on this thread
        _log.warning("leases could not be looked at: %s", error)
