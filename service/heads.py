"""The head of a Ray cluster: whether it may be joined, and whether it still answers."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from resnas.errors import ClusterRefused
from resnas.executors._joining import answers, must_be_joinable
from service.errors import StartRefused
from service.settings import Settings

PAUSE = 2.0
"""Seconds between two questions, and for an answer."""
PATIENCE = 15.0
"""Seconds without an answer after which a head is taken to be gone; Ray waits for a minute, and
ends its processes then without a word to whoever waits for their results."""

_log = logging.getLogger("resnas.cluster")


def check_cluster(settings: Settings) -> None:
    """Refuse the cluster that every job would be refused by; one that is away may come back.

    Raises:
        StartRefused: it must not be joined.
    """
    if settings.ray_address is None:
        return
    try:
        must_be_joinable(settings.ray_address)
    except ClusterRefused as error:
        raise StartRefused(error.place, error.found, error.next_step) from error
    except ConnectionError as error:
        _log.warning("%s", error)


def watch(address: str, gone: Callable[[str], None]) -> None:
    """Ask the head at `address` in a thread, and call `gone` with a reason once it is silent."""
    threading.Thread(target=_ask, args=(address, gone), name="head", daemon=True).start()


def _ask(address: str, gone: Callable[[str], None]) -> None:
    heard = time.monotonic()
    while time.monotonic() - heard < PATIENCE:
        if answers(address, PAUSE):
            heard = time.monotonic()
        time.sleep(PAUSE)
    gone(f"ConnectionError: the head of the Ray cluster at {address} does not answer any more")
