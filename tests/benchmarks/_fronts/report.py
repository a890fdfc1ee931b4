"""The tables and figures of the comparison of strategies, from whatever is in the cache."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from resnas.results import TrialState
from resnas.storage import write_atomic
from tests.benchmarks._fronts import figures, measures
from tests.benchmarks._fronts.cache import Cache, Record
from tests.benchmarks._fronts.conditions import conditions
from tests.benchmarks._fronts.measures import Curve, Scale, mean_and_spread
from tests.benchmarks._fronts.setting import Place
from tests.benchmarks._fronts.strategies import INDEPENDENT_FROM, units
from tests.benchmarks._fronts.tables import table

BySeed = Mapping[int, Sequence[Record]]
"""Finished records of one strategy."""

SWEEP, AMORTIZED, BUDGET = "sweep", "amortized", "budget"


class Report:
    """What the finished units of a setting come to.

    Args:
        place: the setting.
        strategies: in the order of the tables.
        seeds: how many are looked at.
    """

    def __init__(self, place: Place, strategies: Sequence[str], seeds: int) -> None:
        self.place = place
        self.scale = Scale.of(place)
        self.failures: list[str] = []
        self.records: dict[str, BySeed] = {
            name: self._finished(name, range(seeds)) for name in strategies
        }
        self.curves: dict[str, dict[int, Curve]] = {
            name: {
                seed: measures.curve(
                    records,
                    place.setting.samples,
                    self.scale,
                    independent_from=INDEPENDENT_FROM.get(name),
                )
                for seed, records in by_seed.items()
            }
            for name, by_seed in self.records.items()
        }

    def write(self) -> Path:
        """Write `report.md` and the figures beside it; returns the file."""
        folder = self.place.folder / "report"
        text = "\n\n".join(filter(None, (self._head(), self._strategies(), self._claims())))
        write_atomic(folder / "report.md", f"{text}\n".encode())
        figures.write(figures.volumes(self.curves), folder / "hypervolume")
        tests = {
            name: {
                seed: measures.points(trial for record in records for trial in record.trials)
                for seed, records in by_seed.items()
            }
            for name, by_seed in self.records.items()
        }
        figures.write(figures.fronts(tests), folder / "fronts")
        return folder / "report.md"

    def _finished(self, strategy: str, seeds: range) -> BySeed:
        """The records of the seeds whose units are all done."""
        cache = Cache(self.place.folder)
        found: dict[int, list[Record]] = {}
        for seed in seeds:
            parts = units(self.place, strategy, seed)
            records = [cache.read(unit) for unit in parts]
            self.failures += [
                f"{unit.name}: {record.failure}"
                for unit, record in zip(parts, records, strict=True)
                if record.failure
            ]
            if all(record.done for record in records):
                found[seed] = records
        return found

    def _head(self) -> str:
        setting = self.place.setting
        return "\n\n".join(
            (
                f"## Strategies: {setting.backbone} on {setting.train} pictures of "
                f"{setting.dataset}, {setting.epochs} epochs",
                f"The same {setting.train} / {setting.val} / {setting.test} pictures for training, "
                f"choosing and testing. Budgets from {self.scale.low:.4g} to {self.scale.high:.4g} "
                f"GMACs (the human network's: {self.place.estimate.human_gmacs:.4g}). Hypervolume: "
                "on the test pictures, of the networks that validation chooses; mean over log "
                f"GMACs, from guessing ({self.scale.chance:g}) = 0 to faultless = 1. Compute: "
                "samples × GMACs of every forward pass in training, stopped and failed trials "
                "included. Mean ± standard deviation over seeds.",
                conditions(),
                *(f"- not done: {failure}" for failure in self.failures),
            )
        )

    def _strategies(self) -> str:
        return table(
            (
                *("strategy", "seeds", "trials", "failed", "compute, × sweep", "hypervolume"),
                *("lowest–highest", "at the sweep's compute", "at amortized's compute"),
                *("budget error, %", "worst above, %"),
            ),
            [self._row(name) for name, by_seed in self.records.items() if by_seed],
        )

    def _row(self, name: str) -> list[str]:
        by_seed = self.records[name]
        trials = [t for records in by_seed.values() for record in records for t in record.trials]
        failed = sum(trial.state is not TrialState.COMPLETE for trial in trials)
        volumes = [curve[-1][1] for curve in self.curves[name].values() if curve]
        sweeps = self._compute(SWEEP)
        shares = [c / sweeps[s] for s, c in self._compute(name).items() if s in sweeps]
        errors = measures.budget_errors(r for records in by_seed.values() for r in records)
        return [
            name,
            str(len(by_seed)),
            f"{len(trials) / len(by_seed):g}",
            str(failed),
            mean_and_spread(shares, ".2f"),
            mean_and_spread(volumes, ".4f"),
            f"{min(volumes):.4f}–{max(volumes):.4f}" if volumes else "–",
            self._at_compute_of(SWEEP, name),
            self._at_compute_of(AMORTIZED, name),
            f"{statistics.mean(map(abs, errors)):.3f}" if errors else "–",
            f"{max(errors):+.3f}" if errors else "–",
        ]

    def _compute(self, name: str) -> dict[int, float]:
        """Forward sample·GMACs by seed."""
        curves = self.curves.get(name, {})
        return {seed: curve[-1][0] for seed, curve in curves.items() if curve}

    def _at_compute_of(self, other: str, name: str) -> str:
        limits = self._compute(other)
        found = [
            measures.within(curve, limits[seed])
            for seed, curve in self.curves[name].items()
            if seed in limits
        ]
        return mean_and_spread(found, ".4f")

    def _claims(self) -> str:
        lines = [self._twins(), self._above_sweep(), self._share_of_sweep(), self._totals()]
        return "\n".join(f"- {line}" for line in lines if line)

    def _twins(self) -> str:
        differences = measures.twins(
            self.records.get(AMORTIZED, {}), self.records.get(BUDGET, {}), self.place.budgets()
        )
        if not differences:
            return ""
        pairs = [difference for seed in differences for difference in seed]
        mean, half = measures.interval(pairs)
        _, wider = measures.interval([statistics.mean(seed) for seed in differences])
        return (
            f"`amortized` less its individually trained twins (`budget` at the same budgets): "
            f"{mean:+.2f} ± {half:.2f} accuracy points (95 % interval over {len(pairs)} pairs; "
            f"over the means of {len(differences)} seeds ± {wider:.2f})."
        )

    def _above_sweep(self) -> str:
        found = measures.above_front(self.records.get(BUDGET, {}), self.records.get(SWEEP, {}))
        if not found:
            return ""
        return (
            "`budget` less the `sweep`'s front, interpolated at the same cost: "
            f"{mean_and_spread(found, '+.2f')} accuracy points (over seeds)."
        )

    def _share_of_sweep(self) -> str:
        ends: dict[str, dict[int, float]] = defaultdict(dict)
        for name in (SWEEP, AMORTIZED):
            for seed, curve in self.curves.get(name, {}).items():
                ends[name][seed] = curve[-1][1]
        both = sorted(set(ends[SWEEP]) & set(ends[AMORTIZED]))
        if not both:
            return ""
        shares = [ends[AMORTIZED][seed] / ends[SWEEP][seed] for seed in both]
        return f"Hypervolume of `amortized` / `sweep`: {mean_and_spread(shares, '.3f')}."

    def _totals(self) -> str:
        computes = self._compute(SWEEP)
        if not computes:
            return ""
        return f"A sweep's compute: {mean_and_spread(list(computes.values()), '.0f')} sample·GMACs."
