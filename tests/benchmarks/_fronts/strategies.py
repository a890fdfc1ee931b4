"""What is compared: every strategy of the catalogue, and one rival that is none of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import resnas
from resnas import catalog
from resnas.observer import Observer
from resnas.results import TrialResult
from resnas.spec import JobSpec
from resnas.storage import ArtifactStore
from tests.benchmarks._fronts.cache import Unit
from tests.benchmarks._fronts.pruned import prune_and_train
from tests.benchmarks._fronts.setting import Place

MORE = 1.25
"""Trials of rivals whose trials may cost less than the sweep's, relative to the front's points:
so that they, too, have something to show for the sweep's whole compute."""

SHAPE_ADAPTOR, PRUNING = "shape_adaptor", "torch_pruning"

INDEPENDENT_FROM = {
    "amortized": 1,
    "budget": 0,
    "input_resolution": 0,
    "random_sizes": 0,
    PRUNING: 1,
}
"""Number of the first trial that could have been made at another time, by strategy."""


def names() -> tuple[str, ...]:
    """All that can be compared: the catalogue's, and what is only here."""
    return (*catalog.strategies.names(), SHAPE_ADAPTOR, PRUNING)


def units(place: Place, strategy: str, seed: int) -> list[Unit]:
    """The units of a strategy for one seed, in their order."""
    return _MADE.get(strategy, _one_search)(place, strategy, seed)


def searching(place: Place, job: JobSpec, strategy: str, seed: int, part: str = "") -> Unit:
    """The unit that is one search."""
    return Unit(strategy, seed, part, partial(_search, place, job))


def _search(
    place: Place,
    job: JobSpec,
    finished: Sequence[TrialResult],
    observer: Observer,
    artifacts: ArtifactStore,
) -> None:
    resnas.search(
        job,
        observer=observer,
        finished=finished,
        datasets_dir=place.data,
        artifacts=artifacts,
    )


def _one_search(place: Place, strategy: str, seed: int) -> list[Unit]:
    job = place.job(strategy, seed, search=place.over_budgets())
    return [searching(place, job, strategy, seed)]


def _longer_search(place: Place, strategy: str, seed: int) -> list[Unit]:
    trials = round(MORE * place.setting.points)
    job = place.job(strategy, seed, trials=trials, search=place.over_budgets())
    return [searching(place, job, strategy, seed)]


def _search_a_budget(place: Place, strategy: str, seed: int) -> list[Unit]:
    """As many searches as points, one training each."""
    return [
        searching(
            place,
            place.job(strategy, seed, trials=1, budget_gmacs=budget),
            strategy,
            seed,
            f"budget{number}",
        )
        for number, budget in enumerate(place.budgets())
    ]


def _other_resizer(place: Place, strategy: str, seed: int) -> list[Unit]:
    job = place.job("sweep", seed, resizer="shape_adaptor")
    return [searching(place, job, strategy, seed)]


def _pruning(place: Place, strategy: str, seed: int) -> list[Unit]:
    return [Unit(strategy, seed, "", partial(prune_and_train, place, seed))]


_MADE: dict[str, Callable[[Place, str, int], list[Unit]]] = {
    "budget": _search_a_budget,
    "input_resolution": _longer_search,
    "random_sizes": _longer_search,
    "nsga2": _longer_search,
    SHAPE_ADAPTOR: _other_resizer,
    PRUNING: _pruning,
}
