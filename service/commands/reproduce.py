"""The command that trains published tables again; it needs no server."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resnas.errors import InvalidSpec
from resnas.progress import Standing
from resnas.results import EpochMetrics, Size, TrialResult, TrialState
from service.commands.exits import Exit
from service.commands.interruption import interruptible
from service.commands.options import Executor, Json, Parallel
from service.console import gmacs, say, show_entries, show_facts, show_json, show_table
from service.progress import SearchProgress
from service.settings import Settings

if TYPE_CHECKING:
    from resnas.reproduced import Outcome, Reproduction

_EMPTY = "-"

Column = tuple[str, Callable[["Outcome"], str]]
"""Title, and what it says of a row: nothing where nothing is known."""


def reproduce(
    name: Annotated[
        str | None, typer.Argument(help="Of the recipe; all are listed without it.")
    ] = None,
    scale: Annotated[
        float, typer.Option(help="Share of the samples and of the epochs; 1: as published.")
    ] = 1.0,
    seeds: Annotated[
        str, typer.Option(help="One training of each row for each, like 0,1,2.")
    ] = "0",
    dataset: Annotated[
        str | None, typer.Option(help="Other data than the recipe's, like npz:cifar100.")
    ] = None,
    executor: Executor = "inline",
    parallel: Parallel = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="File; default: reproduced/<name>-<scale>.json. It is gone on."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a published table again and show it beside its figures; list all without a name."""
    from resnas.reproducing import Request, named
    from resnas.reproducing import reproduce as run_reproduce

    if name is None:
        _show_recipes(as_json)
        return
    request = Request(
        name=name,
        recipe=named(name),
        scale=scale,
        seeds=_seeds(seeds),
        dataset=dataset,
        datasets_dir=Settings.load().datasets_dir,
        executor=executor,
        parallel=1 if parallel is None else parallel,
    )
    file = output or Path("reproduced") / f"{name}-{scale:g}.json"
    rows = [row.label for row in request.recipe.rows]
    with SearchProgress(len(rows) * len(request.seeds)) as progress:
        listener = _Listener(progress, rows)
        with interruptible(listener):
            found = run_reproduce(request, file, listener)
    _show(found, as_json)
    say(f"Saved in {file}: every training with its date, device, seed and versions.")
    if listener.stopping:
        say("The same command goes on from here.")
        raise typer.Exit(Exit.INTERRUPTED)
    if any(outcome.reasons for outcome in found.outcomes):
        raise typer.Exit(Exit.FAILED)


@dataclass(frozen=True)
class _Standing(Standing):
    """How far a reproduction is.

    Attributes:
        label: of the row that was heard of last.
    """

    label: str = ""

    def __str__(self) -> str:
        epochs = ", ".join(f"epoch {epoch}/{epochs}" for epoch, epochs in self.running[:2])
        return " · ".join(part for part in (self.label, epochs) if part)


@dataclass
class _Listener:
    """The observer of a reproduction.

    Attributes:
        rows: labels, in the order in which they are trained for every seed.
        stopping: set to end it; the trainings that have ended are kept.
    """

    progress: SearchProgress
    rows: list[str]
    stopping: bool = False
    _running: dict[int, tuple[int, int]] = field(default_factory=dict)
    _done: int = 0

    def on_epoch(self, metrics: EpochMetrics) -> None:
        """Show the epoch."""
        self._running[metrics.trial] = (metrics.epoch, metrics.epochs)
        self._show(metrics.trial)

    def on_trial(self, result: TrialResult) -> None:
        """Show the training, and why where it failed."""
        self._running.pop(result.number, None)
        self._done += 1
        if result.state is TrialState.FAILED:
            say(f"{self._label(result.number)}: {result.reason}")
        self._show(result.number)

    def should_stop(self) -> bool:
        """Whether somebody asked for the end."""
        return self.stopping

    def _label(self, number: int) -> str:
        return self.rows[number % len(self.rows)]

    def _show(self, number: int) -> None:
        running = tuple(self._running.values())
        self.progress.show(_Standing(self._done, running, label=self._label(number)))


def _seeds(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    try:
        return tuple(int(part) for part in parts)
    except ValueError as error:
        raise InvalidSpec(
            "--seeds", f"'{text}' holds more than whole numbers", "Write them like 0,1,2"
        ) from error


def _show_recipes(as_json: bool) -> None:
    from search_spaces import recipes

    known = {name: recipes.recipe(name) for name in recipes.names()}
    if as_json:
        show_json(
            [
                {"name": name, "title": recipe.title, "source": recipe.source}
                for name, recipe in known.items()
            ]
        )
    else:
        show_entries((name, recipe.title) for name, recipe in known.items())


def _show(found: Reproduction, as_json: bool) -> None:
    if as_json:
        show_json(found.content())
        return
    show_facts(_facts(found))
    shown = [column for column in _COLUMNS if any(column[1](o) for o in found.outcomes)]
    rows = (
        (outcome.label, *(read(outcome) or _EMPTY for _, read in shown))
        for outcome in found.outcomes
    )
    show_table(("row", *(title for title, _ in shown)), rows)
    for outcome in found.outcomes:
        for reason in outcome.reasons:
            say(f"{outcome.label}: {reason}")


def _facts(found: Reproduction) -> list[tuple[str, str]]:
    recipe, rule = found.recipe, found.rule
    trained = [m for outcome in found.outcomes for m in outcome.trainings]
    samples = ", ".join(f"{count:,} {split}" for split, count in rule.samples.items())
    facts = [
        ("recipe", f"{found.name}: {recipe.title}"),
        ("source", recipe.source),
        ("scale", rule.about),
        ("data", f"{rule.dataset} ({samples})" if rule.dataset else ""),
        ("seeds", ", ".join(sorted({str(m.seed) for m in trained if m.seed is not None}))),
        ("device", "; ".join(sorted({m.device for m in trained}))),
        ("date", max((f"{m.date:%Y-%m-%d}" for m in trained), default="")),
        *(("ours", f"{name}: {why}") for name, why in recipe.ours.items()),
        *(("remark", remark) for remark in recipe.remarks),
    ]
    return [(name, fact) for name, fact in facts if fact]


def _percent(mean: float | None, spread: float | None = None) -> str:
    if mean is None:
        return ""
    return f"{mean:.2f} %" if spread is None else f"{mean:.2f} ± {spread:.2f} %"


def _millions(params: float | None) -> str:
    return "" if params is None else f"{params:.2f} M"


def _sizes(outcome: Outcome) -> str:
    """Those of the first training that has any, by site in order; equal ones in a row once."""
    sizes = next((m.sizes for m in outcome.trainings if m.sizes), {})
    return _row_of(sizes.values())


def _row_of(sizes: Iterable[Size]) -> str:
    texts = [f"{height}×{width}" for height, width in sizes]
    return " ".join(text for n, text in enumerate(texts) if n == 0 or text != texts[n - 1])


_COLUMNS: tuple[Column, ...] = (
    ("accuracy", lambda o: _percent(o.accuracy, o.spread)),
    ("published", lambda o: _percent(o.published.accuracy, o.published.spread)),
    ("GMACs", lambda o: gmacs(o.gmacs)),
    ("published", lambda o: gmacs(o.published.gmacs)),
    ("resizing", lambda o: _percent(o.overhead)),
    ("published", lambda o: _percent(o.published.overhead)),
    ("params", lambda o: _millions(o.params)),
    ("published", lambda o: _millions(o.published.params)),
    ("sizes", _sizes),
    ("published", lambda o: _row_of(o.published.sizes)),
)
