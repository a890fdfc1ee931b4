"""How Ctrl-C ends work that goes on for hours: gently first."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

from service.console import say


class Stoppable(Protocol):
    """What can be told to end.

    Attributes:
        stopping: set to end the work; what has ended is kept.
    """

    stopping: bool


@contextmanager
def interruptible(work: Stoppable) -> Iterator[None]:
    """Ctrl-C ends the work after the epoch and keeps what there is; a second one ends at once."""

    def stop(signum: int, frame: FrameType | None) -> None:
        del signum, frame
        signal.signal(signal.SIGINT, before)
        work.stopping = True
        say("Stopping after this epoch; press Ctrl-C again to end at once.")

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
