"""Keys as the server meets them in requests: looked up, and remembered for a moment."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict

import anyio
import anyio.to_thread
from sqlalchemy.exc import SQLAlchemyError

from service.store.keys import Key, Keys

_FRESH_SECONDS = 1.0
_MOST = 10_000
_AT_ONCE = 4
"""Threads of its own, so that nobody is kept out while the others' are taken."""
_log = logging.getLogger("resnas.service")


class Keyring:
    """The keys that were sent lately; what is revoked anywhere opens nothing a second later."""

    def __init__(self) -> None:
        self._met: OrderedDict[str, tuple[float, Key]] = OrderedDict()
        self._asked: dict[str, asyncio.Task[Key | None]] = {}
        self._noting: set[asyncio.Task[None]] = set()
        self._looking = anyio.CapacityLimiter(_AT_ONCE)
        self._writing = anyio.CapacityLimiter(1)

    def has_met(self, digest: str) -> bool:
        """Whether such a key opened something lately, so that its look-up is no guess."""
        _, met = self._met.get(digest, (0.0, None))
        return met is not None and met.usable

    async def find(self, keys: Keys, digest: str) -> Key | None:
        """The key whose text has that digest, as the database had it at most a second ago.

        Whoever asks for the same key at the same time shares the answer.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database does not answer.
        """
        seen, met = self._met.get(digest, (0.0, None))
        if met is not None and time.monotonic() - seen < _FRESH_SECONDS:
            return met
        task = self._asked.get(digest)
        if task is None:
            task = self._asked[digest] = asyncio.create_task(self._look(keys, digest))
            task.add_done_callback(lambda _: self._asked.pop(digest))
        return await asyncio.shield(task)

    async def _look(self, keys: Keys, digest: str) -> Key | None:
        now = time.monotonic()
        key = await anyio.to_thread.run_sync(keys.find, digest, limiter=self._looking)
        self._met.pop(digest, None)
        if key is None:
            return None
        self._met[digest] = (now, key)
        if len(self._met) > _MOST:
            self._met.popitem(last=False)
        if key.usable and key.idle:
            self._note(keys, key)
        return key

    def _note(self, keys: Keys, key: Key) -> None:
        """Write down its use, which nobody waits for."""
        task = asyncio.create_task(self._used(keys, key))
        self._noting.add(task)
        task.add_done_callback(self._noting.discard)

    async def _used(self, keys: Keys, key: Key) -> None:
        try:
            await anyio.to_thread.run_sync(keys.used, key.id, limiter=self._writing)
        except SQLAlchemyError as error:
            _log.warning("the use of key %s could not be written down: %s", key.prefix, error)
