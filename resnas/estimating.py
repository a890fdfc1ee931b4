"""What can be reached, before anything is trained."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from pathlib import Path
from threading import Lock

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from resnas import backbones
from resnas.backbones import Builder
from resnas.catalog import costs, resizers, strategies
from resnas.converting import convert
from resnas.datasets._base import facts
from resnas.errors import InfeasibleBudget, InvalidSpec, UnknownName, UntraceableBackbone
from resnas.estimates import Estimate, GroupFacts, SiteFacts
from resnas.results import Size
from resnas.space import SearchSpace
from resnas.spec import JobSpec, Place


def estimate(
    backbone: str,
    input_size: tuple[int, int, int],
    num_classes: int,
    *,
    resizers: tuple[str, ...] = ("dynopool",),
    place: Place | None = None,
    layers: tuple[str, ...] = (),
    builder: Builder | None = None,
) -> Estimate:
    """The human cost, where the search starts and what it reaches, with any of `resizers`.

    Groups, sizes and starting cost are those of the first resizer; every figure is one of the
    backbone with `layers` in it. No weights are made where the backbone can do without, and no
    random numbers are drawn from anybody else's. Figures of the program's own and other
    libraries' backbones are kept.

    Args:
        backbone: its name.
        input_size: (C, H, W) of one sample.
        num_classes: what it tells apart.
        resizers: names; the costs that any of them reaches count as reachable.
        place: where they stand; None: as each one's paper has it.
        layers: replacements of other layers, as `convert` takes them.
        builder: what builds it, where it is not known by its name.

    Raises:
        UnknownName: no such backbone, resizer, layer or module.
        InvalidSpec: the backbone cannot be built, or answers no tensor.
        InvalidLayer: a layer cannot be replaced as asked.
        GraphError: the backbone cannot be rewritten.
    """
    if builder is None and not backbone.startswith("own/"):
        return _kept(backbone, input_size, num_classes, resizers, place, layers)
    return _estimate(backbone, input_size, num_classes, resizers, place, layers, builder)


def check(spec: JobSpec, datasets_dir: Path, builder: Builder | None = None) -> Estimate:
    """Refuse a job that cannot succeed, before it is accepted.

    Args:
        spec: the job.
        datasets_dir: where image data lie.
        builder: what builds the backbone, where it is not known by its name.

    Raises:
        UnknownName: of the backbone, the data set, a resizer, a layer or the strategy.
        InvalidSpec: the backbone cannot be built, or does not answer one score for each class.
        InvalidLayer: a layer cannot be replaced as asked.
        DatasetUnavailable: the data are not there.
        InfeasibleBudget: below the smallest cost that can be reached.
        GraphError: the backbone cannot be rewritten.
    """
    if builder is None:
        backbones.check(spec.backbone)
    for place, name, known in (
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
        builder=builder,
    )
    _check_output(found, spec.dataset)
    if spec.budget_gmacs < found.min_gmacs:
        raise InfeasibleBudget(
            spec.budget_gmacs,
            min_gmacs=found.min_gmacs,
            max_gmacs=found.max_gmacs,
            human_gmacs=found.human_gmacs,
        )
    return found


def sketched(
    found: Estimate, builder: Builder | None = None, resizer: str | None = None
) -> SearchSpace:
    """The search space of a resizer, the estimate's first, to compute with, not to train."""
    with tracing, torch.random.fork_rng(devices=[]):
        asked = (found.backbone, found.num_classes, found.input_size, builder)
        options = (found.input_size, resizer or found.resizers[0], found.place, found.layers)
        try:
            return convert(backbones.sketch(*asked, on_cpu=False), *options)
        except UntraceableBackbone:
            return convert(backbones.sketch(*asked, on_cpu=True), *options)


def _check_output(found: Estimate, dataset: str) -> None:
    if found.output_size == (found.num_classes,):
        return
    shape = "×".join(("N", *map(str, found.output_size)))
    raise InvalidSpec(
        f"backbone {found.backbone}",
        f"its output has the shape {shape}, but the data set '{dataset}' has one of "
        f"{found.num_classes} labels for each picture, which needs N×{found.num_classes}",
        "Choose a backbone for classification"
        if len(found.output_size) == 3
        else "Choose a backbone that follows num_classes",
    )


tracing = Lock()
"""torch.fx changes torch's own classes while it traces; and random numbers are the process's."""


def _estimate(
    backbone: str,
    input_size: tuple[int, int, int],
    num_classes: int,
    resizers: tuple[str, ...],
    place: Place | None,
    layers: tuple[str, ...],
    builder: Builder | None = None,
) -> Estimate:
    def converted(on_cpu: bool) -> tuple[nn.Module, float, list[SearchSpace]]:
        model = backbones.sketch(backbone, num_classes, input_size, builder, on_cpu=on_cpu)
        started = time.perf_counter()
        first = convert(model, input_size, resizers[0], place, layers)
        seconds = time.perf_counter() - started
        others = [convert(model, input_size, name, place, layers) for name in resizers[1:]]
        return model, seconds, [first, *others]

    with tracing, torch.random.fork_rng(devices=[]):
        try:
            model, seconds, spaces = converted(on_cpu=False)
        except UntraceableBackbone as untraceable:
            try:  # a forward may need a tensor's values, which the meta device has not
                model, seconds, spaces = converted(on_cpu=True)
            except InvalidSpec:
                raise untraceable from None
        output_size = _output_size(backbone, model, input_size)
    ranges = [space.range("macs") for space in spaces]
    first = spaces[0]
    return Estimate(
        backbone=backbone,
        input_size=input_size,
        output_size=output_size,
        num_classes=num_classes,
        resizers=resizers,
        place=place,
        layers=layers,
        human_gmacs=first.human_cost("macs") / 1e9,
        start_gmacs=int(first.cost("macs").detach()) / 1e9,
        min_gmacs=min(low for low, _ in ranges) / 1e9,
        max_gmacs=max(high for _, high in ranges) / 1e9,
        params=first.human_cost("params"),
        groups=_groups(first),
        fixed_sites=first.fixed_sites,
        counter=costs["macs"].counter,
        convert_seconds=seconds,
    )


_kept = lru_cache(maxsize=64)(_estimate)


def _groups(space: SearchSpace) -> tuple[GroupFacts, ...]:
    """The groups of a space that nobody uses afterwards: its strides are changed."""
    start = space.sizes()
    smallest, largest = (_sizes_at(space, stride) for stride in (1e6, 1e-6))
    return tuple(
        GroupFacts(
            name=group.name,
            sites=group.sites,
            size_in=group.size_in,
            human_size=group.human_size,
            sizes={
                site: SiteFacts(
                    human_size=group.human_size,
                    start_size=start[site],
                    smallest=smallest[site],
                    largest=largest[site],
                )
                for site in group.sites
            },
        )
        for group in space.groups
    )


@torch.no_grad()
def _sizes_at(space: SearchSpace, stride: float) -> dict[str, Size]:
    for parameter in space.arch_parameters():
        parameter.fill_(stride)
    return space.sizes()


def _output_size(
    backbone: str, model: nn.Module, input_size: tuple[int, int, int]
) -> tuple[int, ...]:
    """The shape of the output for one sample, found without computing it."""
    first = next(model.parameters(), torch.empty(0))
    sizes_only: AbstractContextManager[object] = (
        nullcontext() if first.is_meta else FakeTensorMode(allow_non_fake_inputs=True)
    )
    with sizes_only, torch.no_grad():
        sample = torch.empty(1, *input_size, device=first.device, dtype=first.dtype)
        output = model.eval()(sample)
    if not isinstance(output, Tensor):
        raise InvalidSpec(
            f"backbone {backbone}",
            f"it answers a {type(output).__name__}, not a tensor",
            "Choose another one, or wrap it in a module that answers one tensor",
        )
    return tuple(output.shape[1:])
