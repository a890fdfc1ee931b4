"""What the `resnas` command shows: data on stdout, messages and progress on stderr.

Colour and moving bars only where a terminal is; `NO_COLOR` is respected (rich sees to both).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from resnas.errors import ResnasError
from service.answers import FrontPoint, Job, Trial

_PIPE_WIDTH = 160  # columns; a file has no width, and ids must not be cut there
_PLOT_WIDTH, _PLOT_HEIGHT = 60, 12  # characters


def stdout() -> Console:
    """Where data go."""
    return Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False)


def stderr() -> Console:
    """Where messages and progress go."""
    return Console(stderr=True, width=None if sys.stderr.isatty() else _PIPE_WIDTH, highlight=False)


def say(message: str) -> None:
    """One message, on stderr."""
    stderr().print(escape(message), soft_wrap=True)


def complain(error: ResnasError) -> None:
    """An error as "place: found. next step", on stderr."""
    stderr().print(f"[red]error[/red] {escape(str(error))}", soft_wrap=True)


def show_json(value: Any) -> None:
    """Any answer, or list of answers, as JSON on stdout."""
    text = json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False)
    sys.stdout.write(text + "\n")


def show_datum(value: dict[str, str]) -> None:
    """A JSON object on a line of its own on stdout, at once: whoever started us waits for it."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def show_line(text: str) -> None:
    """A single datum on stdout, as it is."""
    sys.stdout.write(text + "\n")


def show_jobs(jobs: Iterable[Job]) -> None:
    """A table of jobs."""
    table = _table("job", "state", "backbone", "dataset", "budget", "trials", "best")
    for job in jobs:
        table.add_row(
            job.id,
            job.state,
            escape(job.spec.backbone),
            escape(job.spec.dataset),
            gmacs(job.spec.budget_gmacs),
            f"{job.trials_done}/{job.trials_total}",
            achieved(job.best),
        )
    stdout().print(table)


def show_trials(trials: Iterable[Trial]) -> None:
    """A table of the trials of a job."""
    table = _table(
        "trial", "state", "resizer", "aim", "accuracy", "GMACs", "architecture, or how it stands"
    )
    for index, trial in enumerate(trials):
        table.add_row(
            str(index if trial.number is None else trial.number),
            trial.state,
            trial.resizer or "",
            trial.aim or "",
            share(trial.val_accuracy),
            gmacs(trial.gmacs),
            escape(trial.architecture_id or trial.reason or trial.standing),
        )
    stdout().print(table)


def show_front(points: Sequence[FrontPoint], best: FrontPoint | None, budget: float) -> None:
    """A front as a table and as a plot; `best` is the best under `budget` (GMACs)."""
    table = _table("architecture", "GMACs", "accuracy", "test", "resizer", "sizes", "")
    for point in points:
        chosen = best is not None and point.architecture_id == best.architecture_id
        table.add_row(
            point.architecture_id,
            gmacs(point.gmacs),
            share(point.val_accuracy),
            share(point.test_accuracy),
            point.resizer or "",
            _sizes(point),
            "best under the budget" if chosen else "",
        )
    console = stdout()
    console.print(table)
    if len(points) > 1:
        console.print(plot(points, budget), markup=False)


def show_entries(entries: Iterable[tuple[str, str]]) -> None:
    """A catalogue: names, and what each is."""
    table = _table("name", "what it is")
    for name, about in entries:
        table.add_row(escape(name), escape(about))
    stdout().print(table)


def show_table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Any table, set off by a line from what stands above it."""
    table = _table(*columns)
    for row in rows:
        table.add_row(*map(escape, row))
    console = stdout()
    console.print()
    console.print(table)


def show_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Names and their values, one a line."""
    grid = Table.grid(padding=(0, 2))
    for name, value in facts:
        grid.add_row(name, escape(value))
    stdout().print(grid)


def gmacs(value: float | None) -> str:
    """A cost with four digits that count; empty for none."""
    return "" if value is None else f"{value:.4g}"


def share(value: float | None) -> str:
    """An accuracy in percent; empty for none."""
    return "" if value is None else f"{100 * value:.2f} %"


def achieved(point: FrontPoint | None) -> str:
    """An architecture's accuracy and cost in a few words; empty for none."""
    return "" if point is None else f"{share(point.val_accuracy)} at {gmacs(point.gmacs)} GMACs"


def plot(points: Sequence[FrontPoint], budget: float) -> str:
    """A front as text: accuracy upwards, GMACs to the right, the budget as a vertical line.

    The budget is left out where it lies to the right of all points.
    """
    costs = [point.gmacs for point in points]
    accuracies = [point.val_accuracy for point in points]
    left, right = min(costs), max(costs)
    bottom, top = min(accuracies), max(accuracies)
    grid = [[" "] * _PLOT_WIDTH for _ in range(_PLOT_HEIGHT)]
    if left <= budget <= right:
        for row in grid:
            row[_cell(budget, left, right, _PLOT_WIDTH)] = ":"
    for cost, accuracy in zip(costs, accuracies, strict=True):
        row = grid[_PLOT_HEIGHT - 1 - _cell(accuracy, bottom, top, _PLOT_HEIGHT)]
        row[_cell(cost, left, right, _PLOT_WIDTH)] = "o"
    labels = [share(top), *[""] * (_PLOT_HEIGHT - 2), share(bottom)]
    lines = [f"{label:>9} |{''.join(row)}" for label, row in zip(labels, grid, strict=True)]
    ends = f"{gmacs(left)}{gmacs(right) + ' GMACs':>{_PLOT_WIDTH - len(gmacs(left))}}"
    return "\n".join([*lines, f"{'':>9} +{'-' * _PLOT_WIDTH}", f"{'':>10} {ends}"])


def _cell(value: float, low: float, high: float, count: int) -> int:
    return round((value - low) / (high - low) * (count - 1)) if high > low else 0


def _sizes(point: FrontPoint) -> str:
    """Heights and widths in the order of the network, repeated ones once."""
    texts = [f"{h}" if h == w else f"{h}x{w}" for h, w in (point.sizes or {}).values()]
    return " ".join(
        text for text, before in zip(texts, ["", *texts], strict=False) if text != before
    )


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in ("job", "architecture"))
    return table


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
