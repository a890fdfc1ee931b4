"""How others listen to a search: the library tells, it never asks who is there."""

from __future__ import annotations

from typing import Protocol

from resnas.results import EpochMetrics, TrialResult


class Observer(Protocol):
    """Told of everything that happens in a search, in the process that called it."""

    def on_epoch(self, metrics: EpochMetrics) -> None:
        """An epoch of a trial ended; of one that goes on, its last epoch is told once more."""

    def on_trial(self, result: TrialResult) -> None:
        """A trial ended: completed, stopped or failed."""

    def should_stop(self) -> bool:
        """Whether the search is to end now; asked between epochs."""


class Silent:
    """The observer of whoever does not want to listen."""

    def on_epoch(self, metrics: EpochMetrics) -> None:
        """Ignore the epoch."""

    def on_trial(self, result: TrialResult) -> None:
        """Ignore the trial."""

    def should_stop(self) -> bool:
        """Never."""
        return False
