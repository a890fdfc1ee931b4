"""Commands that do the work in this process, without a server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import typer

from resnas.errors import InvalidSpec, ResnasError
from resnas.storage import ArtifactStore
from service.commands.exits import Exit
from service.commands.interruption import interruptible
from service.commands.options import (
    Backbone,
    BatchSize,
    Budget,
    BudgetMs,
    Dataset,
    Epochs,
    Executor,
    Json,
    LayerTexts,
    Output,
    Parallel,
    PlaceOption,
    Resizers,
    Seed,
    StopEarly,
    Strategy,
    Trials,
    job_spec,
)
from service.console import say, show_json
from service.listings import show_front
from service.progress import Listener, SearchProgress, points_of
from service.settings import Settings

if TYPE_CHECKING:
    from resnas.searching import SearchResult


class NotSaved(ResnasError):
    """The search ended well, but its result could not be written."""


def search(
    backbone: Backbone,
    dataset: Dataset,
    budget_gmacs: Budget,
    resizer: Resizers = None,
    place: PlaceOption = None,
    layer: LayerTexts = None,
    strategy: Strategy = None,
    trials: Trials = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    parallel: Parallel = None,
    seed: Seed = None,
    budget_ms: BudgetMs = None,
    stop_early: StopEarly = False,
    executor: Executor = "inline",
    output: Output = Path("search"),
    as_json: Json = False,
) -> None:
    """Search here and now, without a server, and save what was found."""
    from resnas.planning import completed
    from resnas.searching import search as run_search

    spec = job_spec(
        backbone,
        dataset,
        budget_gmacs,
        resizer=resizer,
        place=place,
        layer=layer,
        strategy=strategy,
        trials=trials,
        epochs=epochs,
        batch_size=batch_size,
        parallel=parallel,
        seed=seed,
        budget_ms=budget_ms,
        stop_early=stop_early,
    )
    spec = completed(spec)
    settings = Settings.load()
    with SearchProgress(spec.trials or 0) as progress, _trained_in(output) as artifacts:
        listener = Listener(progress, spec.budget_gmacs, spec.budget_ms)
        with interruptible(listener):
            result = run_search(
                spec,
                executor=executor,
                observer=listener,
                datasets_dir=settings.datasets_dir,
                artifacts=artifacts,
            )
        try:
            result.save(output)
        except OSError as error:
            raise NotSaved(
                f"{output}", f"it cannot be written: {error.strerror}", "Make room there"
            ) from error
    _show_result(result, as_json)
    say(f"Saved in {output}: all trials, and the weights of those on the front.")
    if listener.stopping:
        raise typer.Exit(Exit.INTERRUPTED)


@contextmanager
def _trained_in(output: Path) -> Iterator[ArtifactStore]:
    """Where weights are kept while the search runs: where they are to stay, which is tried first.

    Raises:
        InvalidSpec: `output` cannot be written.
    """
    made = not output.exists()
    try:
        output.mkdir(parents=True, exist_ok=True)
        folder = Path(mkdtemp(prefix=".trained-", dir=output))
    except OSError as error:
        raise InvalidSpec(
            "--output", f"{output} cannot be written: {error.strerror}", "Choose another folder"
        ) from error
    keep = False
    try:
        yield ArtifactStore(folder)
    except NotSaved:
        keep = True
        say(f"The weights of all trials are in {folder}.")
        raise
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
        if made:
            with suppress(OSError):  # something is in it, as it should be
                output.rmdir()


def _show_result(result: SearchResult, as_json: bool) -> None:
    points = points_of(result.front)
    best = next(iter(points_of([result.best])), None) if result.best else None
    if as_json:
        show_json({"points": points, "best_under_budget": best, "trials": result.trials})
    else:
        show_front(points, best, result.spec.budget_gmacs)
