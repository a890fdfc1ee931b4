"""Whether the server can work at this moment."""

from __future__ import annotations

import shutil
import threading
import time
from functools import partial

import anyio
import anyio.to_thread
from sqlalchemy.exc import SQLAlchemyError

from service.errors import Unready
from service.settings import Settings
from service.store.repository import Repository

ROOM = 64 * 2**20
"""Bytes that have to be free where the data lie."""
FRESH = 1.0
"""Seconds for which what was found is answered again: anybody may ask, as often as they like."""


class Readiness:
    """Looks whether the server can work, on a thread of its own; lives on one event loop.

    Args:
        settings: of the server.
        repository: its database.
        warmed: set when what takes long to import is there.
        stopping: set when the server shall end.
    """

    def __init__(
        self,
        settings: Settings,
        repository: Repository,
        warmed: threading.Event,
        stopping: threading.Event,
    ) -> None:
        self._settings = settings
        self._repository = repository
        self._warmed = warmed
        self._stopping = stopping
        self._limiter = anyio.CapacityLimiter(1)
        self._looking = anyio.Lock()
        self._found: tuple[str, str, str] | None = None
        self._until = 0.0

    async def check(self) -> None:
        """See that the server goes on, has room, and reaches a database with its schema.

        Raises:
            Unready: it does not; the message says what keeps it from working.
        """
        if self._stopping.is_set():
            step = "Ask another one, or this one when it is back"
            raise Unready("the server", "it is stopping", step)
        if not self._warmed.is_set():
            raise Unready("the server", "it has only begun to start", "Ask again in a moment")
        async with self._looking:
            if time.monotonic() >= self._until:
                look = partial(_hindrance, self._settings, self._repository)
                self._found = await anyio.to_thread.run_sync(look, limiter=self._limiter)
                self._until = time.monotonic() + FRESH
        if self._found:
            raise Unready(*self._found)


def _hindrance(settings: Settings, repository: Repository) -> tuple[str, str, str] | None:
    """What keeps the server from working: where, what, and what to do."""
    try:
        free = shutil.disk_usage(settings.data_dir).free
    except OSError as error:
        return "the data directory", f"{error.strerror}", "See that it is there"
    if free < ROOM:
        return "the data directory", f"{free >> 20} MB are free there", "Make room on its disk"
    try:
        schema = repository.schema()
    except SQLAlchemyError:
        return "the database", "it does not answer", "See that it runs"
    if schema.found != schema.newest:
        step = "Start a server of the version that fits"
        return "the database", f"its schema is {schema.found}, not {schema.newest}", step
    return None
