"""The toy sets of the thesis: which sizes are learned, and whether they beat the human ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from resnas.results import Size, TrialResult
from resnas.searching import complete
from tests.benchmarks._fronts.cache import Cache, Unit
from tests.benchmarks._fronts.conditions import conditions
from tests.benchmarks._fronts.measures import mean_and_spread
from tests.benchmarks._fronts.setting import Place, Setting
from tests.benchmarks._fronts.strategies import searching
from tests.benchmarks._fronts.tables import table

HUMAN, LEARNED = "human", "budget"


@dataclass(frozen=True)
class Toys:
    """The trainings of this table.

    Attributes:
        settings: one a set.
        cache: folder of all settings.
        seeds: repetitions.
    """

    settings: tuple[Setting, ...]
    cache: Path
    seeds: int

    def __call__(self) -> list[tuple[Cache, Unit]]:
        """All units, seed by seed."""
        places = [Place(setting, self.cache) for setting in self.settings]
        return [
            (Cache(place.folder), unit)
            for seed in range(self.seeds)
            for place in places
            for unit in (_human(place, seed), _learned(place, seed))
        ]


def _human(place: Place, seed: int) -> Unit:
    """The network as its authors made it: that of this cost which only scales pictures."""
    return _at_human_cost(place, "input_resolution", HUMAN, seed)


def _learned(place: Place, seed: int) -> Unit:
    """Learned sizes at the cost of the human ones."""
    return _at_human_cost(place, "budget", LEARNED, seed)


def _at_human_cost(place: Place, strategy: str, name: str, seed: int) -> Unit:
    job = place.job(strategy, seed, trials=1, budget_gmacs=place.estimate.human_gmacs)
    return searching(place, job, name, seed)


def report(work: Toys) -> str:
    """The table in Markdown."""
    rows = []
    for setting in work.settings:
        place = Place(setting, work.cache)
        seeds = range(work.seeds)
        human = _trials(place, [_human(place, seed) for seed in seeds])
        learned = _trials(place, [_learned(place, seed) for seed in seeds])
        rows.append(_row(place, human, learned))
    head = ("set", "cost, × human", "human, test", "learned, test", "human sizes", "learned sizes")
    about = (
        "Test accuracy in percent, mean ± standard deviation over seeds; sizes H×W by seed; "
        "learned at the cost of the human network, in one training each."
    )
    return "\n\n".join(("## Toy sets", conditions(), about, table(head, rows)))


def _trials(place: Place, units: Sequence[Unit]) -> list[TrialResult]:
    """The completed trials of some units."""
    cache = Cache(place.folder)
    return [trial for unit in units for trial in complete(cache.read(unit).trials)]


def _row(place: Place, human: Sequence[TrialResult], learned: Sequence[TrialResult]) -> list[str]:
    estimate = place.estimate
    height, width = estimate.input_size[1:]
    costs = [t.gmacs / estimate.human_gmacs for t in learned if t.gmacs is not None]
    own = {group.name: group.human_size for group in estimate.groups}
    return [
        f"{place.setting.variant.rstrip(':/')} ({height}×{width})",
        mean_and_spread(costs, ".4f"),
        _accuracy(human),
        _accuracy(learned),
        _sizes(own),
        "<br>".join(_sizes(t.architecture.sizes) for t in learned if t.architecture) or "–",
    ]


def _accuracy(trials: Sequence[TrialResult]) -> str:
    return mean_and_spread([100 * (trial.test_accuracy or 0.0) for trial in trials], ".2f")


def _sizes(sizes: dict[str, Size]) -> str:
    return ", ".join(f"{height}×{width}" for height, width in sizes.values())
