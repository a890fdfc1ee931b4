"""How far a search is, in words, and as a bar in the notebook cell that runs it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Protocol

from resnas.notebook import Place, gmacs, share
from resnas.results import EpochMetrics, TrialResult, TrialState

_PERIOD = 0.2
"""Seconds between two changes of a bar at least."""


class Achieved(Protocol):
    """What is told of the best architecture."""

    @property
    def val_accuracy(self) -> float | None:
        """Share of right answers."""

    @property
    def gmacs(self) -> float | None:
        """Cost of one sample."""


@dataclass(frozen=True)
class Standing:
    """How far a search is.

    Attributes:
        done: trials that have ended.
        running: epochs done and epochs to do of each trial that is running.
        best: the best under the budget so far.
        seconds_left: where somebody knows.
        state: of the whole; told where it is another than running.
    """

    done: int
    running: tuple[tuple[int, int], ...] = ()
    best: Achieved | None = None
    seconds_left: float | None = None
    state: str = "running"

    @property
    def trials(self) -> float:
        """Trials done, running ones by the share of their epochs."""
        return self.done + sum(epoch / epochs for epoch, epochs in self.running if epochs)

    def __str__(self) -> str:
        epochs = ", ".join(f"epoch {epoch}/{epochs}" for epoch, epochs in self.running[:2])
        more = f" and {len(self.running) - 2} more" if len(self.running) > 2 else ""
        state = "" if self.state == "running" else self.state
        return " · ".join(part for part in (state, epochs + more, self._best()) if part)

    def _best(self) -> str:
        if self.best is None:
            return "none under budget yet" if self.done else ""
        achieved = f"{share(self.best.val_accuracy)} at {gmacs(self.best.gmacs)} GMACs"
        return f"best under budget {achieved}"


class Tally:
    """Keeps count of a search from what its observer hears.

    Args:
        budget_gmacs: under which the best is told.
        budget_ms: under which it is, too, where the job has one.
    """

    def __init__(self, budget_gmacs: float, budget_ms: float | None = None) -> None:
        self._budgets = budget_gmacs, budget_ms
        self._running: dict[int, tuple[int, int]] = {}
        self._ended: list[TrialResult] = []

    def on_epoch(self, metrics: EpochMetrics) -> None:
        """An epoch of a trial ended."""
        self._running[metrics.trial] = (metrics.epoch, metrics.epochs)

    def on_trial(self, result: TrialResult) -> None:
        """A trial ended; a trial may end with several results."""
        self._running.pop(result.number, None)
        self._ended.append(result)

    @property
    def standing(self) -> Standing:
        """How far the search is now."""
        done = len({result.number for result in self._ended})
        return Standing(done, tuple(self._running.values()), self._best())

    def _best(self) -> TrialResult | None:
        from resnas.search_result import best_of  # here: numpy takes longer than a bar

        return best_of(self._ended, *self._budgets)


class NotebookProgress:
    """The observer of a search in a notebook: a bar under the cell.

    Args:
        trials: of the search.
        budget_gmacs: under which the best is shown.
        budget_ms: under which it is, too, where the job has one.
    """

    def __init__(self, trials: int, budget_gmacs: float, budget_ms: float | None = None) -> None:
        self._trials = trials
        self._tally = Tally(budget_gmacs, budget_ms)
        self._failed: list[str] = []
        self._started = time.monotonic()
        self._next = 0.0
        self._place = Place()
        self._show()

    def on_epoch(self, metrics: EpochMetrics) -> None:
        """Move the bar."""
        self._tally.on_epoch(metrics)
        if time.monotonic() >= self._next:
            self._show()

    def on_trial(self, result: TrialResult) -> None:
        """Move the bar, and tell why the trial failed, where it did."""
        self._tally.on_trial(result)
        if result.state is TrialState.FAILED:
            self._failed.append(f"trial {result.number} failed: {result.reason}")
        self._show()

    def should_stop(self) -> bool:
        """Never: the notebook's own button interrupts."""
        return False

    def _show(self) -> None:
        self._next = time.monotonic() + _PERIOD
        self._place.show(_bar(self._tally.standing, self._trials, self._left(), self._failed))

    def _left(self) -> float | None:
        """Seconds that the rest takes, where it goes on as it went."""
        done = self._tally.standing.trials
        spent = time.monotonic() - self._started
        return spent / done * max(self._trials - done, 0.0) if done else None


def _bar(standing: Standing, trials: int, left: float | None, failed: Sequence[str]) -> str:
    told = f"{standing.done}/{trials} trials · {standing}"
    if left is not None and standing.done < trials:
        told += f" · {_span(left)} left"
    notes = "".join(f"<div>{escape(note)}</div>" for note in failed)
    return (
        f'<div><progress max="{trials}" value="{standing.trials:.3f}" style="width:16em">'
        f"</progress> {escape(told)}{notes}</div>"
    )


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"{hours} h {minutes} min"
        if hours
        else f"{minutes} min {rest} s"
        if minutes
        else f"{rest} s"
    )
