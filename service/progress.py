"""How far a search is, on stderr: a moving block at a terminal, else a line for each trial."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from resnas.progress import Standing, Tally
from resnas.results import EpochMetrics, TrialResult, TrialState
from service.answers import FrontPoint, Happening, Job, Trial
from service.client_errors import Refused, ServerFailed, ServerUnreachable
from service.console import clock, say, span, stderr

if TYPE_CHECKING:
    from service.client import Client

PATIENCE = 600.0
"""Seconds without a server after which nobody is kept waiting any more."""
_SPEED_PERIOD = 3600.0  # seconds; trials are long, so the speed is taken over a long time


class SearchProgress:
    """Shows one search while the context lasts.

    Args:
        total: trials of the search.
    """

    def __init__(self, total: int) -> None:
        self._console = stderr()
        self._bar = Progress(
            TextColumn("{task.fields[done]}/{task.total:.0f} trials"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[left]}"),
            console=self._console,
            speed_estimate_period=_SPEED_PERIOD,
        )
        self._total = total
        self._task = self._bar.add_task("", total=total, done=0, left="")
        self._told: int | None = None
        self._standing: Standing | None = None
        self._lost: datetime | None = None
        self._live = Live(
            get_renderable=self._block, console=self._console, transient=True, refresh_per_second=4
        )

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def show(self, standing: Standing) -> None:
        """Tell how far the search is now."""
        self._standing = standing
        self._bar.update(
            self._task, completed=standing.trials, done=standing.done, left=self._left(standing)
        )
        if not self._console.is_terminal and standing.done > (self._told or 0):
            say(f"{standing.done}/{self._total} trials · {standing}{self._ending(standing)}")
        self._told = standing.done

    def line(self, lost: datetime | None) -> None:
        """Tell that nobody answers, and from when the data are; null: somebody does again."""
        self._lost = lost
        if not self._console.is_terminal:
            say(_reconnecting(lost) if lost else "Connected again.")

    def _block(self) -> Group:
        """What a terminal shows at this moment."""
        standing = Text(str(self._standing or "") or "starting")
        notice = [Text(_reconnecting(self._lost), "yellow")] if self._lost else []
        return Group(self._bar, standing, *notice)

    def _left(self, standing: Standing) -> str:
        seconds = standing.seconds_left
        if seconds is None:
            seconds = self._bar.tasks[0].time_remaining
        return f"{span(seconds)} left" if seconds else ""

    def _ending(self, standing: Standing) -> str:
        left = self._left(standing) if standing.done < self._total else ""
        return f" · {left}" if left else ""


def _reconnecting(lost: datetime) -> str:
    return f"reconnecting, data from {clock(lost)}"


@dataclass
class Listener:
    """The observer of a search that runs in this process.

    Attributes:
        budget_gmacs: under which the best is shown.
        budget_ms: under which it is, too, where the job has one.
        stopping: set to end the search; the trials that have ended are kept.
    """

    progress: SearchProgress
    budget_gmacs: float
    budget_ms: float | None = None
    stopping: bool = False
    _tally: Tally = field(init=False)

    def __post_init__(self) -> None:
        self._tally = Tally(self.budget_gmacs, self.budget_ms)

    def on_epoch(self, metrics: EpochMetrics) -> None:
        """Show the epoch."""
        self._tally.on_epoch(metrics)
        self.progress.show(self._tally.standing)

    def on_trial(self, result: TrialResult) -> None:
        """Show the trial, and why where it failed."""
        self._tally.on_trial(result)
        if result.state is TrialState.FAILED:
            say(f"trial {result.number} failed: {result.reason}")
        self.progress.show(self._tally.standing)

    def should_stop(self) -> bool:
        """Whether somebody asked for the end."""
        return self.stopping


def follow(client: Client, job: Job) -> Job:
    """Show a job of a server until it has ended, also while servers restart.

    Returns:
        What it came to.
    """
    ended = job
    with SearchProgress(job.trials_total) as progress:
        told = Following(progress, lambda: client.trials(job.id))
        watched = client.watch(job.id, patience=PATIENCE, on_line=progress.line, on_event=told.hear)
        for ended in watched:
            told.look(ended)
    return ended


class Following:
    """Shows a job of a server: its counts as it was last seen, its trials as its events tell.

    Args:
        progress: that shows it.
        trials: asks for all trials of the job; done rarely, for there may be thousands.
    """

    def __init__(self, progress: SearchProgress, trials: Callable[[], Iterable[Trial]]) -> None:
        self._progress = progress
        self._trials = trials
        self._running: dict[int | None, tuple[int, int]] = {}
        self._unsure = True
        self._job: Job | None = None

    def look(self, job: Job) -> None:
        """The job was seen."""
        self._job = job
        if self._unsure and not job.ended:
            with suppress(ServerUnreachable, ServerFailed, Refused):  # the events tell it, too
                self._running = {
                    trial.number: trial.epochs
                    for trial in self._trials()
                    if trial.state == TrialState.RUNNING and trial.epochs
                }
                self._unsure = False
        self._show(job)

    def hear(self, event: Happening | None) -> None:
        """Something happened to it; null: its events are not to be had."""
        if event is None:
            self._running.clear()  # rather nothing than what was
        elif event.event == "epoch":
            trial, *epochs = (int(event.data.get(n, 0)) for n in ("trial", "epoch", "epochs"))
            self._running[trial] = (epochs[0], epochs[1])
        elif event.event == "trial":
            self._running.pop(event.data.get("number"), None)
        else:
            self._unsure = True  # of a job that begins again others may run
        if event and self._job and event.id <= (self._job.events or 0):
            self._show(self._job)  # nobody looks because of what was seen already

    def _show(self, job: Job) -> None:
        running = () if job.ended else tuple(self._running.values())
        self._progress.show(
            Standing(job.trials_done, running, job.best, job.seconds_left, job.state)
        )


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
            seed=result.seed,
            spread=result.spread,
            aim=result.aim,
            trial=result.number,
            sizes=result.architecture.sizes if result.architecture else {},
        )
        for result in results
        if result.val_accuracy is not None and result.gmacs is not None
    ]
