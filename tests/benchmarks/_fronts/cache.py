"""Units of work and what is kept of them, so that nothing is ever trained twice."""

from __future__ import annotations

import fcntl
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from resnas.observer import Observer
from resnas.results import EpochMetrics, TrialResult, Value
from resnas.storage import ArtifactStore, write_atomic


class Record(Value):
    """What has become of a unit so far.

    Attributes:
        trials: all that ended, as they came.
        epochs: of those trials, the stopped and failed ones included.
        done: whether there is nothing left to do.
        failure: why it could not be done; it is tried again by the next run.
    """

    trials: tuple[TrialResult, ...] = ()
    epochs: tuple[EpochMetrics, ...] = ()
    done: bool = False
    failure: str | None = None


Work = Callable[[Sequence[TrialResult], Observer, ArtifactStore], object]
"""Goes on from the trials that have ended; tells the observer, keeps weights in the store."""


@dataclass(frozen=True)
class Unit:
    """What one process does at a time.

    Attributes:
        strategy: what it belongs to in the tables.
        seed: of the repetition, from 0.
        part: of a strategy that consists of several searches; else empty.
        work: what is to be done.
    """

    strategy: str
    seed: int
    part: str
    work: Work

    @property
    def name(self) -> str:
        """Of its files."""
        return "-".join(filter(None, (self.strategy, f"seed{self.seed}", self.part)))


class Cache:
    """Records of units as JSON, and the weights of their networks.

    Args:
        folder: of one setting.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.artifacts = ArtifactStore(folder / "weights")

    def read(self, unit: Unit) -> Record:
        """What is known of a unit; an empty record where nothing is."""
        path = self._path(unit, "json")
        return Record.model_validate_json(path.read_bytes()) if path.exists() else Record()

    def write(self, unit: Unit, record: Record) -> None:
        """Keep a record, whole or not at all."""
        write_atomic(self._path(unit, "json"), record.model_dump_json().encode())

    @contextmanager
    def claimed(self, unit: Unit) -> Iterator[bool]:
        """Whether this process alone has the unit, until the end; the system frees a dead one's."""
        path = self._path(unit, "lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True

    def _path(self, unit: Unit, suffix: str) -> Path:
        return self.folder / "units" / f"{unit.name}.{suffix}"


class Recorder:
    """The observer that writes a trial the moment it ends."""

    def __init__(self, cache: Cache, unit: Unit) -> None:
        self.cache = cache
        self.unit = unit
        self.record = cache.read(unit)
        self._running: dict[int, EpochMetrics] = {}

    def on_epoch(self, metrics: EpochMetrics) -> None:
        """Remember the epoch until its trial ends; one that is cut off is trained anew."""
        if metrics.epoch == 1:
            self._running.clear()
        self._running[metrics.epoch] = metrics

    def on_trial(self, result: TrialResult) -> None:
        """Write the trial with its epochs."""
        update = {
            "trials": (*self.record.trials, result),
            "epochs": (*self.record.epochs, *self._running.values()),
        }
        self._running.clear()  # of several results of one trial, the first has its epochs
        self._write(update)

    def should_stop(self) -> bool:
        """Whether the process that started this one has ended."""
        parent = multiprocessing.parent_process()
        return parent is not None and not parent.is_alive()

    def end(self, failure: str | None = None) -> None:
        """Write that the unit is done, or why it could not be."""
        self._write({"done": failure is None, "failure": failure})

    def again(self) -> None:
        """Forget that the unit could not be done; what has been done of it stays."""
        self._write({"failure": None})

    def _write(self, update: dict[str, object]) -> None:
        self.record = self.record.model_copy(update=update)
        self.cache.write(self.unit, self.record)
