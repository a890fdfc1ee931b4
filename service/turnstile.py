"""Questions that take seconds of computing, a few at a time: the threads are there for all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import BoundedSemaphore, Lock

from service.errors import TooMany
from service.principals import Principal

AT_ONCE = 2
"""Questions that are computed at the same time."""
_PRESENT = 16
"""Of all owners, computed or waiting: each holds a thread, of which there are forty."""
_EACH = 2
"""Of one owner: one that is computed, and one that waits."""
_RETRY_SECONDS = 2


@dataclass
class _Line:
    """The questions of one owner, of which one goes on at a time."""

    first: Lock = field(default_factory=Lock)
    length: int = 0


class Turnstile:
    """Lets a few through at a time, of each owner one; an administrator waits as long as it takes.

    Args:
        at_once: how many may be inside.
    """

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._inside = BoundedSemaphore(at_once)
        self._lines: dict[str, _Line] = {}
        self._changing = Lock()

    @contextmanager
    def turn(self, asker: Principal) -> Iterator[None]:
        """Wait until it is the asker's turn, and have it until the block ends.

        Raises:
            TooMany: one question of theirs waits already, or many of others.
        """
        if asker.is_admin:
            with self._inside:
                yield
            return
        line = self._join(asker.owner)
        try:
            with line.first, self._inside:
                yield
        finally:
            self._leave(asker.owner)

    def _join(self, owner: str) -> _Line:
        with self._changing:
            present = sum(line.length for line in self._lines.values())
            line = self._lines.get(owner, _Line())
            if line.length >= _EACH or present >= _PRESENT:
                raise TooMany(
                    f"questions of {owner}",
                    "others are being computed, and enough are waiting",
                    f"Ask again in {_RETRY_SECONDS} s; what was answered before needs no computing",
                    _RETRY_SECONDS,
                )
            line.length += 1
            self._lines[owner] = line
            return line

    def _leave(self, owner: str) -> None:
        with self._changing:
            self._lines[owner].length -= 1
            if not self._lines[owner].length:
                del self._lines[owner]
