"""The events of jobs as they happen, to as many listeners as there are (server-sent events).

A listener holds neither a thread nor a connection to the database. One task asks the database what
has become of all jobs that anybody listens to, in one query; what is new is read once for all who
want the same.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from fastapi.sse import format_sse_event
from sqlalchemy.exc import SQLAlchemyError

from service.errors import TooMany
from service.store.events import Standing
from service.store.repository import Repository
from service.store.values import Happening

EVERY = 0.25
"""Seconds between two looks at the jobs that somebody listens to."""
ALIVE = 15.0
"""Seconds after which a silent stream says that it is still there."""
_AT_ONCE = 2
"""Connections to the database that all streams use together."""
_PAGE = 200
_RETRY_SECONDS = 60
_log = logging.getLogger("resnas.service")
_Found = TypeVar("_Found")
StillValid = Callable[[], Awaitable[bool]]
"""Whether who listens may go on: asked before every look at what is new."""


async def _always() -> bool:
    return True


@dataclass
class _Channel:
    """One job that somebody listens to; `news` is set, and replaced, when its standing changes."""

    standing: Standing
    listeners: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def move(self, standing: Standing) -> None:
        """Take in what was read; an older reading may come later than a newer one."""
        if standing.events > self.standing.events:
            self.standing = standing
            self.wake()

    def wake(self) -> None:
        """Let every listener look again."""
        self.news.set()
        self.news = asyncio.Event()


class Feed:
    """Tells listeners what happens to jobs; lives on one event loop.

    Args:
        repository: where events are read.
        stopping: set when the server shall end; every stream ends then.
    """

    def __init__(self, repository: Repository, stopping: threading.Event) -> None:
        self.repository = repository
        self.stopping = stopping
        self._channels: dict[str, _Channel] = {}
        self._pages: dict[tuple[str, int], asyncio.Task[list[Happening] | None]] = {}
        self._limiter = anyio.CapacityLimiter(_AT_ONCE)
        self._seats: Counter[str] = Counter()

    async def run(self) -> None:
        """Look after the jobs until this task is cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            self._pages.clear()
            if self.stopping.is_set():
                for channel in self._channels.values():
                    channel.wake()
            elif self._channels:
                await self._look()

    @contextmanager
    def seat(self, owner: str, most: int) -> Iterator[None]:
        """A place among the streams of an owner, who may have so many at a time; 0: any number.

        Raises:
            TooMany: all are taken.
        """
        if most and self._seats[owner] >= most:
            raise TooMany(
                f"streams of {owner}",
                f"{most} are open, and no more may be (RESNAS_STREAMS_PER_OWNER)",
                "Close some, or ask with 'Accept: application/json' for what happened",
                _RETRY_SECONDS,
            )
        self._seats[owner] += 1
        try:
            yield
        finally:
            self._seats[owner] -= 1
            if not self._seats[owner]:
                del self._seats[owner]

    async def listen(
        self, job_id: str, standing: Standing, after: int, still_valid: StillValid = _always
    ) -> AsyncIterator[bytes]:
        """The events of a job whose number is larger than `after`, until it has ended.

        A stream of a job that is tried again goes on. It ends early, between two events, where the
        server or the listener's key does: the listener comes back with the number of the last one
        it has.
        """
        channel = self._channels.setdefault(job_id, _Channel(standing))
        channel.move(standing)
        channel.listeners += 1
        try:
            yield b": listening\n\n"  # so that it is known at once that there is a stream
            while not self.stopping.is_set() and await still_valid():
                news, now = channel.news, channel.standing
                events = await self._page(job_id, after) if now.events > after else []
                for event in events:
                    after = event.number
                    yield _encoded(event)
                if now.ended and now.events <= after:
                    return
                if not events and not await _within(ALIVE, news):
                    yield b": alive\n\n"
        finally:
            channel.listeners -= 1
            if not channel.listeners:
                del self._channels[job_id]

    async def _look(self) -> None:
        jobs = list(self._channels)
        found = await self._read(lambda: self.repository.events.standings(jobs))
        for job_id, standing in (found or {}).items():
            if channel := self._channels.get(job_id):
                channel.move(standing)

    async def _page(self, job_id: str, after: int) -> list[Happening]:
        """The next events; whoever asks for the same ones at the same time shares the answer."""
        task = self._pages.get((job_id, after))
        if task is None:
            read = self._read(lambda: self.repository.events.page(job_id, after, _PAGE))
            task = self._pages[job_id, after] = asyncio.ensure_future(read)
        return await asyncio.shield(task) or []

    async def _read(self, read: Callable[[], _Found]) -> _Found | None:
        """What `read` finds; nothing where the database fails: the streams wait for it."""
        try:
            return await anyio.to_thread.run_sync(read, limiter=self._limiter)
        except SQLAlchemyError as error:
            _log.warning("events cannot be read: %s", error)
            return None


async def _within(seconds: float, event: asyncio.Event) -> bool:
    """Whether `event` is set by then."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


def told(event: Happening) -> dict[str, Any]:
    """What the data of an event say."""
    return {**event.data, "created_at": event.created_at.isoformat().replace("+00:00", "Z")}


def _encoded(event: Happening) -> bytes:
    data = json.dumps(told(event), separators=(",", ":"))
    return format_sse_event(data_str=data, event=event.kind, id=str(event.number))
