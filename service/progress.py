"""How far a search is, on stderr: a moving line where a terminal is, else a line for each trial."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from resnas import pareto
from resnas.results import EpochMetrics, TrialResult, TrialState
from service.answers import FrontPoint, Job, Trial
from service.client import Client
from service.console import achieved, say, stderr

_SPEED_PERIOD = 3600.0  # seconds; trials are long, so the speed is taken over a long time


@dataclass(frozen=True)
class Standing:
    """How far a search is.

    Attributes:
        done: trials that have ended.
        running: epochs done and epochs to do of each trial that is running.
        best: the best under the budget so far.
    """

    done: int
    running: tuple[tuple[int, int], ...] = ()
    best: FrontPoint | None = None

    @property
    def trials(self) -> float:
        """Trials done, running ones by the share of their epochs."""
        return self.done + sum(epoch / epochs for epoch, epochs in self.running if epochs)

    def __str__(self) -> str:
        epochs = ", ".join(f"epoch {epoch}/{epochs}" for epoch, epochs in self.running[:2])
        more = f" and {len(self.running) - 2} more" if len(self.running) > 2 else ""
        best = f"best under budget {achieved(self.best)}" if self.best else "none under budget yet"
        return " · ".join(part for part in (epochs + more, best) if part)


class SearchProgress:
    """Shows one search while the context lasts.

    Args:
        total: trials of the search.
    """

    def __init__(self, total: int) -> None:
        self._console = stderr()
        self._bar = Progress(
            TextColumn("{task.fields[done]}/{task.total:.0f} trials"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[standing]}", markup=False),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            speed_estimate_period=_SPEED_PERIOD,
            transient=True,
        )
        self._total = total
        self._task = self._bar.add_task("", total=total, done=0, standing="starting")
        self._told = 0

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def show(self, standing: Standing) -> None:
        """Tell how far the search is now."""
        if self._console.is_terminal:
            self._bar.update(
                self._task, completed=standing.trials, done=standing.done, standing=str(standing)
            )
        elif standing.done > self._told:
            say(f"{standing.done}/{self._total} trials · {standing}")
        self._told = standing.done


@dataclass
class Listener:
    """The observer of a search that runs in this process.

    Attributes:
        budget_gmacs: under which the best is shown.
        stopping: set to end the search; the trials that have ended are kept.
    """

    progress: SearchProgress
    budget_gmacs: float
    stopping: bool = False
    _running: dict[int, tuple[int, int]] = field(default_factory=dict)
    _ended: list[TrialResult] = field(default_factory=list)

    def on_epoch(self, metrics: EpochMetrics) -> None:
        """Show the epoch."""
        self._running[metrics.trial] = (metrics.epoch, metrics.epochs)
        self._show()

    def on_trial(self, result: TrialResult) -> None:
        """Show the trial, and why where it failed."""
        self._running.pop(result.number, None)
        self._ended.append(result)
        if result.state is TrialState.FAILED:
            say(f"trial {result.number} failed: {result.reason}")
        self._show()

    def should_stop(self) -> bool:
        """Whether somebody asked for the end."""
        return self.stopping

    def _show(self) -> None:
        best = best_under(points_of(self._ended), self.budget_gmacs)
        done = len({result.number for result in self._ended})
        self.progress.show(Standing(done, tuple(self._running.values()), best))


def follow(client: Client, job: Job) -> Job:
    """Show a job of a server until it has ended; returns what it came to."""
    ended = job
    with SearchProgress(job.trials_total) as progress:
        for ended in client.watch(job.id):
            progress.show(standing_of(ended, client.trials(job.id)))
    return ended


def standing_of(job: Job, trials: Iterable[Trial]) -> Standing:
    """How far a job of the server is."""
    running = tuple(
        trial.epochs for trial in trials if trial.state == TrialState.RUNNING and trial.epochs
    )
    return Standing(job.trials_done, running, job.best)


def points_of(results: Sequence[TrialResult]) -> list[FrontPoint]:
    """The completed trials of a search without a server, named by their numbers."""
    return [
        FrontPoint(
            architecture_id=f"trial {result.number}",
            val_accuracy=result.val_accuracy,
            test_accuracy=result.test_accuracy,
            gmacs=result.gmacs,
            resizer=result.resizer,
            lam=result.lam,
            sizes=result.architecture.sizes if result.architecture else {},
        )
        for result in results
        if result.val_accuracy is not None and result.gmacs is not None
    ]


def best_under(points: Sequence[FrontPoint], budget: float) -> FrontPoint | None:
    """The most accurate point of at most `budget` GMACs, the cheaper of two equal ones."""
    pairs = [(point.val_accuracy, point.gmacs) for point in points]
    index = pareto.best_under(pairs, budget)
    return None if index is None else points[index]
