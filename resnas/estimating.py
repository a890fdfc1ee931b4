"""What can be reached, before anything is trained."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch

from resnas import backbones
from resnas.catalog import costs, resizers, strategies
from resnas.converting import convert
from resnas.datasets._base import facts
from resnas.errors import InfeasibleBudget, UnknownName
from resnas.results import Size, Value
from resnas.spec import JobSpec, Place


class GroupFacts(Value):
    """One group of sites that share a size."""

    name: str
    sites: tuple[str, ...]
    size_in: Size
    human_size: Size


class Estimate(Value):
    """What a backbone costs and what its search space reaches, in GMACs of one sample."""

    backbone: str
    input_size: tuple[int, int, int]
    num_classes: int
    resizers: tuple[str, ...]
    place: Place | None
    layers: tuple[str, ...]
    human_gmacs: float
    start_gmacs: float
    min_gmacs: float
    max_gmacs: float
    params: int
    groups: tuple[GroupFacts, ...]
    fixed_sites: dict[str, str]
    counter: str


@lru_cache(maxsize=64)
def estimate(
    backbone: str,
    input_size: tuple[int, int, int],
    num_classes: int,
    *,
    resizers: tuple[str, ...] = ("dynopool",),
    place: Place | None = None,
    layers: tuple[str, ...] = (),
) -> Estimate:
    """The human cost, where the search starts and what it reaches, with any of `resizers`.

    Groups and starting cost are those of the first resizer; every figure is one of the backbone
    with `layers` in it.

    Raises:
        UnknownName: no such backbone, resizer, layer or module.
        InvalidLayer: a layer cannot be replaced as asked.
        GraphError: the backbone cannot be rewritten.
    """
    with torch.random.fork_rng(devices=[]):
        model = backbones.build(backbone, num_classes, input_size)
        spaces = [convert(model, input_size, name, place, layers) for name in resizers]
    ranges = [space.range("macs") for space in spaces]
    first = spaces[0]
    return Estimate(
        backbone=backbone,
        input_size=input_size,
        num_classes=num_classes,
        resizers=resizers,
        place=place,
        layers=layers,
        human_gmacs=first.human_cost("macs") / 1e9,
        start_gmacs=int(first.cost("macs").detach()) / 1e9,
        min_gmacs=min(low for low, _ in ranges) / 1e9,
        max_gmacs=max(high for _, high in ranges) / 1e9,
        params=first.human_cost("params"),
        groups=tuple(
            GroupFacts(name=g.name, sites=g.sites, size_in=g.size_in, human_size=g.human_size)
            for g in first.groups
        ),
        fixed_sites=first.fixed_sites,
        counter=costs["macs"].counter,
    )


def check(spec: JobSpec, datasets_dir: Path) -> Estimate:
    """Refuse a job that cannot succeed, before it is accepted.

    Raises:
        UnknownName: of the backbone, the data set, a resizer, a layer or the strategy.
        InvalidLayer: a layer cannot be replaced as asked.
        DatasetUnavailable: the data are not there.
        InfeasibleBudget: below the smallest cost that can be reached.
        GraphError: the backbone cannot be rewritten.
    """
    for place, name, known in (
        ("backbone", spec.backbone, backbones.names()),
        ("strategy", spec.strategy, strategies.names()),
        *(("resizer", name, resizers.names()) for name in spec.resizer),
    ):
        if name not in known:
            raise UnknownName.among(place, name, known)
    num_classes, input_size = facts(spec.dataset, datasets_dir)
    found = estimate(
        spec.backbone,
        input_size,
        num_classes,
        resizers=spec.resizer,
        place=spec.place,
        layers=spec.layers,
    )
    if spec.budget_gmacs < found.min_gmacs:
        raise InfeasibleBudget(
            spec.budget_gmacs,
            min_gmacs=found.min_gmacs,
            max_gmacs=found.max_gmacs,
            human_gmacs=found.human_gmacs,
        )
    return found
