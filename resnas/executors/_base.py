"""What every executor states, and what it is given to run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol

Json = dict[str, Any]
"""What crosses a process boundary: objects, arrays, strings, numbers, booleans, null."""

Report = Callable[[Json], None]
Work = Callable[[Json, Report], list[Json]]
"""A trial: (task, report) -> results. Importable by name, so that another process can run it;
it calls `report` once an epoch."""


class Feed(Protocol):
    """Where an executor gets tasks from and tells what became of them, in the caller's process."""

    def next(self) -> Json | None:
        """The next task; None where one may come once a running task has ended.

        Every task has an integer `number`.

        Raises:
            StopIteration: there will be no more.
        """

    def report(self, number: int, message: Json) -> bool:
        """A running task said something.

        Returns:
            Whether that task is to be ended now; nothing more is then told of it.
        """

    def done(self, number: int, results: list[Json]) -> None:
        """A task ended well."""

    def failed(self, number: int, reason: str) -> None:
        """A task raised; `reason` is for a person to read."""

    def lost(self, number: int, reason: str) -> None:
        """A task's process or machine died, or what it needs is away (ConnectionError).

        The feed may hand the same task out again.
        """

    def should_stop(self) -> bool:
        """Whether running tasks are to be ended now; asked at least once a report."""


class AbstractExecutor(ABC):
    """Runs tasks until the feed has no more.

    No task is retried here: the feed decides, which knows what has been kept of it.

    Args:
        parallel: tasks at the same time, at most.
        cpus, gpus: what one task occupies; gpus may be a fraction.
    """

    def __init__(self, *, parallel: int = 1, cpus: float = 1, gpus: float = 0) -> None:
        self.parallel = parallel
        self.cpus = cpus
        self.gpus = gpus

    @abstractmethod
    def run(self, feed: Feed, work: Work) -> None:
        """Run everything that `feed` has; returns when all has ended or `should_stop` said so."""


ENTRY = AbstractExecutor
