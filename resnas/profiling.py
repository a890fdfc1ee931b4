"""What an architecture is, layer by layer, beside its backbone; nothing is trained or loaded."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, fx

from resnas import backbones
from resnas.backbones import Builder
from resnas.catalog import costs
from resnas.converting import convert
from resnas.costs._base import Operation, closed_form, kind
from resnas.costs._layers import VIEWS
from resnas.errors import ResnasError, UntraceableBackbone
from resnas.estimating import tracing
from resnas.polynomial import Dim, Polynomial
from resnas.profiles import MapFacts, Profile
from resnas.resizers._base import AbstractResizer
from resnas.results import Architecture, Size
from resnas.space import SearchSpace

__all__ = ["MapFacts", "Profile", "profile"]


def profile(architecture: Architecture, builder: Builder | None = None) -> Profile:
    """The maps of an architecture and what each costs, beside the backbone's own.

    No weights are made where the backbone can do without, and nothing is computed.

    Args:
        architecture: of a backbone that is known by its name, or that `builder` builds.
        builder: what the search was given as its backbone, if anything.

    Raises:
        ResnasError: the architecture is of a module that was converted without a name.
        UnknownName: there is no backbone of its name, and no `builder`.
        ArchitectureMismatch: it does not fit that backbone.
    """
    space = _sketched(architecture, builder)
    space.load_architecture(architecture)
    return Profile(
        backbone=str(architecture.backbone),
        input_size=architecture.input_size,
        gmacs=float(space.cost("macs").detach()) / 1e9,
        human_gmacs=space.human_cost("macs") / 1e9,
        counter=costs["macs"].counter,
        maps=tuple(_maps(space)),
    )


def _sketched(architecture: Architecture, builder: Builder | None) -> SearchSpace:
    """The architecture's search space without weights; on the CPU where it needs their values."""
    name, classes = architecture.backbone, architecture.num_classes
    if name is None or classes is None:
        raise ResnasError(
            "architecture",
            "it is of a backbone without a name, which cannot be built again",
            "Set `space.backbone` and `space.num_classes` before `space.architecture()`",
        )
    size = architecture.input_size

    def converted(on_cpu: bool) -> SearchSpace:
        return convert(
            backbones.sketch(name, classes, size, builder, on_cpu=on_cpu),
            size,
            architecture.resizer,
            architecture.place,
            architecture.layers,
            fit_flattened=architecture.fit_flattened,
        )

    with tracing, torch.random.fork_rng(devices=[]):
        try:
            return converted(on_cpu=False)
        except UntraceableBackbone:
            return converted(on_cpu=True)


def _maps(space: SearchSpace) -> Iterable[MapFacts]:
    values = space._integers()
    human = {operation.name: operation for operation in space._human}
    stands = {  # what a resizer is called in the graph, and at which site it is
        f"resizer_{site.replace('.', '_')}": (f"{site}.resizer", group.human_size)
        for group in space.groups
        for site in group.sites
    }
    nodes = {node.name: node for node in space.model.graph.nodes}
    seen: Counter[str] = Counter()
    for operation in space._operations:
        if operation.output is None or isinstance(operation.target, Tensor):
            continue
        word = _word(operation.target)
        if not word:
            continue
        path = _path(nodes[operation.name])
        name, behind = stands.get(path.rstrip("_"), (path, None))
        seen[name] += 1
        before = human.get(operation.name)
        yield MapFacts(
            name=name if seen[name] == 1 else f"{name} ({seen[name]})",
            kind=word,
            channels=_channels(operation.output, values),
            size=_size(operation.output, values),
            macs=_macs(operation, values),
            human_size=_size(before.output, []) if before else behind,
            human_macs=_macs(before, []) if before else None,
        )


def _path(node: fx.Node) -> str:
    return str(node.target) if node.op == "call_module" else node.name


def _macs(operation: Operation, values: list[int]) -> int:
    total = closed_form("macs", costs["macs"]().total([operation]))
    return int(total.value(values))


def _size(shape: tuple[Dim, ...] | None, values: list[int]) -> Size | None:
    if shape is None or len(shape) != 4:
        return None
    height, width = (int(Polynomial.of(dim).value(values)) for dim in shape[2:])
    return (height, width)


def _channels(shape: tuple[Dim, ...], values: list[int]) -> int | None:
    return int(Polynomial.of(shape[1]).value(values)) if len(shape) in (2, 4) else None


_WORDS: dict[Any, str] = {
    **dict.fromkeys((operator.add, operator.iadd, "add", "add_"), "add"),
    **dict.fromkeys((operator.mul, operator.imul, "mul", "mul_"), "scale"),
    **dict.fromkeys((torch.bmm, operator.matmul, "matmul", "__matmul__"), "matmul"),
    **dict.fromkeys((torch.mean, "mean", torch.sum, "sum"), "pool"),
    **dict.fromkeys((torch.cat, torch.stack), "concat"),
}
_PARTS = {
    **dict.fromkeys(("Conv", "conv"), "conv"),
    **dict.fromkeys(("Linear", "linear"), "linear"),
    **dict.fromkeys(("Pool", "pool"), "pool"),
    **dict.fromkeys(("Norm", "norm"), "norm"),
    **dict.fromkeys(("Upsample", "ToSize", "interpolate"), "resize"),
    **dict.fromkeys(("Identity", "Dropout", "DropPath", "Randomised", "latten"), ""),
}
"""Words by what the name of a class or a function has in it; none where it only passes its map
on."""


def _word(target: Any) -> str:
    """What a layer is, in a word; empty where it only passes its map on."""
    if isinstance(target, AbstractResizer):
        return "resizer"
    if type(target).__module__ == "torch.nn.modules.activation":
        return "activation"
    found = kind(target)
    if target in VIEWS:
        return ""
    if found in _WORDS:
        return _WORDS[found]
    name = found if isinstance(found, str) else getattr(found, "__name__", str(found))
    return next((word for part, word in _PARTS.items() if part in name), name.lower().strip("_"))
