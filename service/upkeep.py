"""What is done on a timer, by every server and worker: leases that nobody renews are taken away,
and what nobody needs any more is deleted.

Several may do it at once: each row is locked by one of them, the others pass over it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from service import metrics
from service.settings import Settings
from service.store.repository import Repository
from service.sweeping import sweep
from service.transitions import Event, moves

EVERY = 1.0
"""Seconds between two looks at the leases."""
PATIENCE = 5.0
"""Seconds until the next look where one failed."""
SWEEP_EVERY = 1800.0
"""Seconds between two looks for what can be deleted."""
SWEEP_FIRST = 60.0
"""Seconds from the start to the first of them, for a server that never runs for longer."""

_log = logging.getLogger("resnas.upkeep")


class Upkeep:
    """Takes care in threads of its own, from `start` to `stop`.

    Its repository should be its own: where it shares connections with a busy server, it comes late.
    """

    def __init__(self, settings: Settings, repository: Repository) -> None:
        self.settings = settings
        self.repository = repository
        self._over = threading.Event()
        # Two threads: to sweep a large store takes longer than a lease may be overdue.
        tasks = {"leases": self._take_away, "sweeper": self._sweep}
        self._threads = [
            threading.Thread(target=task, name=name, daemon=True) for name, task in tasks.items()
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End, after what is being done."""
        self._over.set()
        leases, _ = self._threads
        leases.join()  # a sweep may take long, and can be broken off anywhere

    def _take_away(self) -> None:
        pause = EVERY
        while not self._over.wait(pause):
            # Where the database was away, the workers shall renew their leases first.
            pause = EVERY if undisturbed(lambda: take_away(self.repository)) else PATIENCE

    def _sweep(self) -> None:
        pause = SWEEP_FIRST
        while not self._over.wait(pause):
            pause = SWEEP_EVERY
            undisturbed(lambda: _log.info("%s", sweep(self.settings, self.repository)))


def take_away(repository: Repository, *, whoever: bool = False) -> None:
    """End every lease whose time is over: what it held is tried again, or has failed.

    Args:
        repository: of the database.
        whoever: end all leases; for a program that has just begun to be the only one which works
            with this database: those who held them are gone.
    """
    for kind, queue in (("job", repository.jobs), ("export", repository.exports)):
        lost = queue.expire(moves(Event.RELEASE), moves(Event.FAIL), whoever=whoever)
        metrics.leases_expired(kind, len(lost))
        for name in lost:
            _log.warning("the lease of %s %s ran out", kind, name)


def undisturbed(step: Callable[[], None]) -> bool:
    """Do `step`; a failure is logged, and its thread lives on to do the next one.

    Returns:
        Whether it was done.
    """
    try:
        step()
    except Exception as error:  # noqa: BLE001 - the leases of all runs hang on this thread
        _log.warning("what is done on a timer failed, and comes again: %s", error)
        return False
    return True
