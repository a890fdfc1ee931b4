"""How near to a budget one training lands, and how near whole sizes can come at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from resnas.controllers._onto import OnBudget
from resnas.errors import UnreachableBudget
from resnas.results import Plan
from resnas.trial import build_space
from tests.benchmarks._fronts import measures
from tests.benchmarks._fronts.cache import Cache, Record, Unit
from tests.benchmarks._fronts.conditions import conditions
from tests.benchmarks._fronts.setting import Place, Setting
from tests.benchmarks._fronts.strategies import searching
from tests.benchmarks._fronts.tables import table

TRAINED = ("vgg_small", "resnet_small", "mobilenet_small")
UNTRAINED = ("vgg16", "resnet18", "mobilenet_v2")
BUDGETS = (0.5, 1.0, 1.5)
"""Relative to what the human sizes cost with the resizers in their places."""

SIDES = (32, 96)
LEARNED = 0.2
"""Standard deviation of the logarithms of sizes that nobody has learned: about what trainings do to
them."""


@dataclass(frozen=True)
class Budgets:
    """The trainings of this table.

    Attributes:
        settings: one a network.
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
            (Cache(place.folder), _unit(place, seed, share))
            for seed in range(self.seeds)
            for place in places
            for share in BUDGETS
        ]


def _unit(place: Place, seed: int, share: float) -> Unit:
    job = place.job("budget", seed, trials=1, budget_gmacs=share * place.estimate.start_gmacs)
    return searching(place, job, "budget", seed, f"at{share:g}")


def report(work: Budgets) -> str:
    """Both tables in Markdown: trained networks, and the lattice alone."""
    head = ("network", *(f"{share:g} × start" for share in BUDGETS), "worst above")
    return "\n\n".join(
        (
            "## How near to the budget one training lands",
            conditions(),
            "Percent below (−) or above (+) the budget, by seed. Budgets are relative to what the "
            "human sizes cost with the resizers in their places.",
            table((*head, "test accuracy"), [_trained(work, setting) for setting in work.settings]),
            "## How near whole sizes can come",
            f"No training: sizes drawn around the human ones (logarithms, σ = {LEARNED:g}), scaled "
            "onto the budget, then the lattice step; whole sizes counted again by the network.",
            table(
                head,
                [_untrained(name, side, work.seeds) for side in SIDES for name in UNTRAINED],
            ),
        )
    )


def _trained(work: Budgets, setting: Setting) -> list[str]:
    place = Place(setting, work.cache)
    cache = Cache(place.folder)
    cells, errors, accuracies = [], list[float](), list[float]()
    for share in BUDGETS:
        records = [cache.read(_unit(place, seed, share)) for seed in range(work.seeds)]
        own = measures.budget_errors(records)
        errors += own
        accuracies += [p.test for r in records for p in measures.points(r.trials)]
        cells.append(_errors(own, records))
    return [
        f"{setting.backbone}, trained, 32 px",
        *cells,
        f"{max(errors):+.4f}" if errors else "–",
        f"{min(accuracies):.3f}–{max(accuracies):.3f}" if accuracies else "–",
    ]


def _errors(errors: Sequence[float], records: Sequence[Record]) -> str:
    failed = [trial.reason or "" for record in records for trial in record.trials if trial.reason]
    refused = [record.failure for record in records if record.failure]
    return ", ".join([*(f"{error:+.4f}" for error in errors), *failed, *refused]) or "–"


def _untrained(backbone: str, side: int, seeds: int) -> list[str]:
    space = build_space(backbone, 10, (3, side, side), "dynopool")
    onto = OnBudget(space)
    start = int(space.cost("macs").detach())
    cells, errors = [], list[float]()
    for share in BUDGETS:
        budget = share * start
        own = [_landed(onto, budget, seed) for seed in range(seeds)]
        errors += [error for error in own if error is not None]
        cells.append(", ".join("none" if e is None else f"{e:+.4f}" for e in own))
    return [f"{backbone}, {side} px", *cells, f"{max(errors):+.4f}" if errors else "–"]


def _landed(onto: OnBudget, budget: float, seed: int) -> float | None:
    """Percent above `budget`; None where no whole sizes around come near it."""
    human = onto.coordinates(onto.relaxation.human)
    moved = np.random.default_rng(seed).normal(size=human.shape, scale=2 * LEARNED)
    plan = Plan(resizer="dynopool", controller="fixed", budget_gmacs=budget / 1e9)
    try:
        onto.land(onto.scaled(human + torch.from_numpy(moved), budget), plan)
    except UnreachableBudget:
        return None
    return 100 * (int(onto.space.cost("macs").detach()) / budget - 1)
