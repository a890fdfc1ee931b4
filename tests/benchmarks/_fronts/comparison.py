"""The trainings that strategies are compared by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks._fronts.cache import Cache, Unit
from tests.benchmarks._fronts.setting import Place, Setting
from tests.benchmarks._fronts.strategies import units


@dataclass(frozen=True)
class Comparison:
    """All units of a setting.

    Attributes:
        setting: what all have in common.
        cache: folder of all settings.
        strategies: their names.
        seeds: repetitions.
    """

    setting: Setting
    cache: Path
    strategies: tuple[str, ...]
    seeds: int

    def __call__(self) -> list[tuple[Cache, Unit]]:
        """All units, seed by seed, so that a run that is cut off leaves whole repetitions."""
        place = Place(self.setting, self.cache)
        cache = Cache(place.folder)
        return [
            (cache, unit)
            for seed in range(self.seeds)
            for name in self.strategies
            for unit in units(place, name, seed)
        ]
