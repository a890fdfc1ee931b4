"""What is read off the records: hypervolume on the test split, compute, errors, twins."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from resnas import pareto
from resnas.results import EpochMetrics, TrialResult
from resnas.searching import complete
from resnas.strategies.sweep import _coarse_to_fine
from tests.benchmarks._fronts.cache import Record
from tests.benchmarks._fronts.setting import Place


@dataclass(frozen=True)
class Point:
    """One trained network: what strategies choose by, what it is worth, what it costs."""

    val: float
    test: float
    gmacs: float


@dataclass(frozen=True)
class Scale:
    """What hypervolumes are measured against.

    Attributes:
        low, high: GMACs, the range of budgets.
        chance: accuracy of guessing.
    """

    low: float
    high: float
    chance: float

    @classmethod
    def of(cls, place: Place) -> Scale:
        """That of a setting."""
        budgets = place.budgets()
        return cls(budgets[0], budgets[-1], place.chance)

    def hypervolume(self, points: Sequence[Point]) -> float:
        """Mean over the budgets, evenly in log GMACs, of what the user gets there, 0 to 1.

        At a budget that is the test accuracy, from guessing (0) to faultless (1), of the network
        that is most accurate on *validation* pictures among those within the budget; nothing where
        there is none. It is the area of the hypervolume over log cost, normalised; but a network
        that validation prefers and the test does not counts as what the test says.
        """
        chosen = [points[i] for i in pareto.front([(p.val, p.gmacs) for p in points])]
        edges = [math.log(min(max(p.gmacs, self.low), self.high)) for p in chosen]
        widths = np.diff([*edges, math.log(self.high)])
        worth = [(p.test - self.chance) / (1 - self.chance) for p in chosen]
        return float(np.dot(worth, widths)) / math.log(self.high / self.low)


def points(trials: Iterable[TrialResult]) -> list[Point]:
    """The networks of the trials that completed."""
    return [
        Point(trial.val_accuracy, trial.test_accuracy, trial.gmacs)
        for trial in complete(list(trials))
        if trial.val_accuracy is not None
        and trial.test_accuracy is not None
        and trial.gmacs is not None
    ]


def spent(epochs: Iterable[EpochMetrics], samples: int) -> float:
    """Compute of training, in forward sample·GMACs: samples times the cost of each at that time.

    Where a step makes several passes all of them count. Backward passes (in proportion) and
    measurements on the validation split do not.

    Args:
        epochs: of any number of trials.
        samples: that one epoch trains.
    """
    return samples * sum(
        epoch.gmacs if epoch.trained_gmacs is None else epoch.trained_gmacs for epoch in epochs
    )


Curve = list[tuple[float, float]]
"""(compute, hypervolume) after every training, as they were made."""


def curve(
    records: Sequence[Record], samples: int, scale: Scale, *, independent_from: int | None
) -> Curve:
    """What the trainings of one strategy and seed came to, one after the other.

    Args:
        records: in the order of the trainings.
        samples: that one epoch trains.
        scale: of the hypervolume.
        independent_from: the first training that depends on none behind it; these could be made in
            any order, and count as made from both ends of the front to its middle, so that fewer
            of them are still spread over it. None: they are all as they were made.
    """
    made = [
        (trial, spent((e for e in record.epochs if e.trial == trial.number), samples))
        for record in records
        for trial in record.trials
    ]
    if independent_from is not None:
        free = sorted(made[independent_from:], key=lambda pair: pair[0].gmacs or 0.0)
        made[independent_from:] = [free[i] for i in _coarse_to_fine(len(free))]
    found: Curve = []
    compute, networks = 0.0, list[Point]()
    for trial, cost in made:
        compute += cost
        networks += points([trial])
        found.append((compute, scale.hypervolume(networks)))
    return found


def within(curve: Curve, compute: float) -> float:
    """The hypervolume that at most so much compute has brought; 0 before the first training."""
    return max((volume for cost, volume in curve if cost <= compute * (1 + 1e-9)), default=0.0)


def budget_errors(records: Iterable[Record]) -> list[float]:
    """Percent by which trials that had a budget are above it; below: negative."""
    return [
        100 * (trial.gmacs / trial.budget_gmacs - 1)
        for record in records
        for trial in complete(record.trials)
        if trial.budget_gmacs and trial.gmacs
    ]


def at_budget(records: Iterable[Record], budget: float) -> float | None:
    """Test accuracy of the last completed trial that had this budget, to 0.1 %."""
    found = [
        trial.test_accuracy
        for record in records
        for trial in complete(record.trials)
        if trial.budget_gmacs and abs(trial.budget_gmacs / budget - 1) < 1e-3
    ]
    return found[-1] if found else None


def twins(
    many: Mapping[int, Sequence[Record]],
    single: Mapping[int, Sequence[Record]],
    budgets: Sequence[float],
) -> list[list[float]]:
    """Accuracy points by which networks of one training are above those trained for a budget each.

    Args:
        many, single: records by seed.
        budgets: at which they are compared.

    Returns:
        By seed, the differences at every budget at which both have a network.
    """
    found = []
    for seed in sorted(set(many) & set(single)):
        pairs = [(at_budget(many[seed], b), at_budget(single[seed], b)) for b in budgets]
        found.append([100 * (a - b) for a, b in pairs if a is not None and b is not None])
    return [differences for differences in found if differences]


def above_front(
    landed: Mapping[int, Sequence[Record]], sweep: Mapping[int, Sequence[Record]]
) -> list[float]:
    """Accuracy points by which networks are above a front, interpolated over log GMACs, by seed.

    A network outside the costs of the front of its seed is left out.
    """
    found = []
    for seed in sorted(set(landed) & set(sweep)):
        everything = points(trial for record in sweep[seed] for trial in record.trials)
        front = [everything[i] for i in pareto.front([(p.val, p.gmacs) for p in everything])]
        costs, tests = [math.log(p.gmacs) for p in front], [p.test for p in front]
        own = points(trial for record in landed[seed] for trial in record.trials)
        differences = [
            100 * (p.test - float(np.interp(math.log(p.gmacs), costs, tests)))
            for p in own
            if costs and costs[0] <= math.log(p.gmacs) <= costs[-1]
        ]
        found += [statistics.mean(differences)] if differences else []
    return found


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean and half the width of its 95 % interval by Student's t; infinite for a single value."""
    if len(values) < 2:
        return statistics.mean(values), math.inf
    half = stats.t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return statistics.mean(values), float(half)


def mean_and_spread(values: Sequence[float], form: str) -> str:
    """`mean ± standard deviation`; a dash where there are none."""
    if not values:
        return "–"
    mean = format(statistics.mean(values), form)
    return f"{mean} ± {statistics.stdev(values):{form}}" if len(values) > 1 else mean
