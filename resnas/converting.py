"""From a backbone to a search space, and from a search space to a plain network."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any, get_args

import torch
from torch import Tensor, fx, nn

from resnas.bounding import bound
from resnas.catalog import resizers
from resnas.costs._base import Operation
from resnas.errors import UnknownName
from resnas.graph.convert import Converted, follow_leaders, replace
from resnas.graph.flattening import fit_to_flatten
from resnas.graph.fold import fold
from resnas.graph.follow import follow
from resnas.graph.grouping import group
from resnas.graph.naming import name_functions
from resnas.graph.sites import Place, find, global_pools, select
from resnas.graph.sizes import Propagation
from resnas.graph.trace import trace
from resnas.groups import Group
from resnas.layers._replacing import replace_layers
from resnas.resizers._base import AbstractResizer
from resnas.resizers._base import Place as Placing
from resnas.space import SearchSpace

ENLARGED = 4
"""How many times its human size an axis may grow to."""


def convert(
    model: nn.Module,
    input_size: tuple[int, int, int],
    resizer: str = "dynopool",
    place: Placing | None = None,
    layers: Sequence[str] = (),
    sites: Sequence[str] | None = None,
    freeze_sites: Sequence[str] = (),
    fit_flattened: bool = False,
) -> SearchSpace:
    """Make the resolutions of a CNN learnable.

    Every strided convolution and strided pool becomes a stride-1 convolution (or nothing) and a
    resizer; sites whose maps meet share one stride. The search starts at the backbone's own sizes
    wherever the resizer can produce them. An enlarged map follows the size of the map it meets. A
    resizer that turns pixels into channels learns no size; what follows it takes more channels.
    `model` is not changed.

    Args:
        model: any CNN that torch.fx can trace; (N, C, H, W) in.
        input_size: (C, H, W) of one sample.
        resizer: name in `resnas.catalog.resizers`; "strided" leaves the backbone as it is.
        place: where a resizer stands when there was a strided convolution: "after" its
            normalisation and activation, right behind the "conv", or "before" it; None: as the
            resizer's paper has it.
        layers: replacements of convolutions or pools, names in `resnas.catalog.layers`, with
            settings and stages where they are not for all: "phc:n=4@stage3+stage4". What is told
            of the backbone (its own sizes and cost) is then told of it with these layers.
        sites: names of the sites to convert; None: all.
        freeze_sites: names of sites to leave as they are.
        fit_flattened: put an adaptive average pool before each map that is flattened with its
            pixels, such that it keeps its number of features whatever the size of the map. At
            the backbone's own sizes that pool changes nothing.

    Raises:
        UnknownName: no such resizer, place, layer, setting of one, module or site.
        InvalidLayer: a layer cannot be replaced as asked, or there is nothing to replace.
        UntraceableBackbone, UnsizedOperation, SizeConflict: the backbone cannot be rewritten; the
            message names the node and its source line.
        NothingToResize: no place changes the resolution, or none of them can be resized.

    >>> space = convert(nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU()), (3, 32, 32))
    >>> space.sizes()
    {'0': (16, 16)}
    """
    entry: type[AbstractResizer] = resizers[resizer]
    placing = place or entry.place
    if placing not in get_args(Placing):
        raise UnknownName.among("place", placing, get_args(Placing))
    traced = _traced(model, input_size, layers)
    if fit_flattened:
        fit_to_flatten(traced)
    human = _as_they_are(Propagation(traced, {}, lambda one, _other, _node: one).operations())
    chosen = select(find(traced), sites, freeze_sites)
    if entry.widens:
        replaced, fixed = fold(traced, chosen, entry, placing)
    else:
        follow(traced, chosen)
        found, fixed = group(traced, chosen)
        replaced = [(places, replace(traced, places, entry, placing)) for places in found]
    fixed |= dict.fromkeys(global_pools(traced), "its window is the whole map, whose end it is")
    space = _assemble(
        traced,
        replaced,
        input_size=input_size,
        resizer=resizer,
        place=placing,
        layers=tuple(layers),
        fit_flattened=fit_flattened,
        fixed_sites=fixed,
        human=human,
    )
    bound(space)
    space.training = model.training
    return space


def freeze(space: SearchSpace, multiple_of: int = 1) -> fx.GraphModule:
    """A plain `nn.Module` at the space's present integer sizes, with its weights.

    Its outputs in eval mode equal the space's to 1e-5 in float32; it has no strides any more. With
    `multiple_of` its learnable sizes are the nearest multiples: another network, whose accuracy
    has to be measured again.
    """
    return space.freeze(multiple_of)


def _traced(
    model: nn.Module, input_size: tuple[int, int, int], layers: Sequence[str]
) -> fx.GraphModule:
    """The graph of a copy of `model` with `layers` in it, functions named."""
    backbone = copy.deepcopy(model, _computed(model))
    if layers:
        replace_layers(backbone, layers, _entering(trace(backbone, input_size)))
    traced = trace(backbone, input_size)
    name_functions(traced)
    return traced


def _computed(model: nn.Module) -> dict[int, Any]:
    """Copies of tensors that layers have computed and kept, which cannot copy themselves."""
    kept = [value for module in model.modules() for value in vars(module).values()]
    kept += [inner for value in kept if isinstance(value, dict) for inner in value.values()]
    tensors = (value for value in kept if isinstance(value, Tensor) and not value.is_leaf)
    return {id(tensor): tensor.detach().clone() for tensor in tensors}


def _as_they_are(operations: Sequence[Operation]) -> list[Operation]:
    """Operations whose layers keep their strides when those of the graph lose them."""
    return [
        dataclasses.replace(o, target=_alike(o.target)) if isinstance(o.target, nn.Module) else o
        for o in operations
    ]


def _alike(module: nn.Module) -> nn.Module:
    """A layer with attributes of its own and the same weights; not all let `copy.copy` have it."""
    made: nn.Module = object.__new__(type(module))
    vars(made).update(vars(module))
    return made


def _entering(module: fx.GraphModule) -> dict[str, list[tuple[int, int, int]]]:
    """(C, H, W) of every map that enters a module, by the module's path."""
    found: dict[str, list[tuple[int, int, int]]] = {}
    for node in module.graph.nodes:
        if node.op != "call_module" or len(node.all_input_nodes) != 1:
            continue
        shape = node.all_input_nodes[0].meta["value"]
        if isinstance(shape, torch.Size) and len(shape) == 4:
            found.setdefault(str(node.target), []).append((shape[1], shape[2], shape[3]))
    return found


def _assemble(
    module: fx.GraphModule,
    replaced: Sequence[tuple[list[Place], list[Converted] | None]],
    *,
    input_size: tuple[int, int, int],
    resizer: str,
    place: Placing,
    layers: tuple[str, ...],
    fit_flattened: bool,
    fixed_sites: dict[str, str],
    human: Sequence[Operation],
) -> SearchSpace:
    order = {node: index for index, node in enumerate(module.graph.nodes)}
    for _, members in replaced:
        if members:
            members.sort(key=lambda member: order[member.node])
    propagation = follow_leaders(module, [members for _, members in replaced if members])
    module.graph.lint()
    module.recompile()
    nodes = {p.name: p.last for places, members in replaced if not members for p in places}
    nodes |= {m.place.name: _behind(m) for _, members in replaced for m in members or ()}
    return SearchSpace(
        module,
        propagation,
        [_group(module, places, members) for places, members in replaced],
        input_size=input_size,
        resizer=resizer,
        place=place,
        layers=layers,
        fit_flattened=fit_flattened,
        site_nodes=nodes,
        fixed_sites=fixed_sites,
        human=human,
    )


def _behind(member: Converted) -> fx.Node:
    """The node behind which the whole site has done its work."""
    conv = member.place.convolution
    before = conv is not None and member.node in conv.all_input_nodes
    return conv if before and conv is not None else member.node


def _group(module: fx.GraphModule, places: list[Place], members: list[Converted] | None) -> Group:
    first = places[0]
    sites = tuple(place.name for place in places)
    if not members:
        stride = nn.Parameter(torch.tensor(first.stride, dtype=torch.float32), requires_grad=False)
        size_in = (first.size[0] * first.stride[0], first.size[1] * first.stride[1])
        return Group(first.name, sites, stride, size_in, first.size, None, learnable=False)
    leader = members[0]
    for member in members:
        made = _resizer(module, member)
        v, h = (n + m for n, m in zip(first.size, leader.margin, strict=True))
        made.largest = (float(ENLARGED * v), float(ENLARGED * h))
        least_v, least_h = made.smallest
        made.smallest = (min(least_v, float(v)), min(least_h, float(h)))
    made = _resizer(module, leader)
    learnable = made.stride.requires_grad
    return Group(
        first.name,
        sites,
        made.stride,
        leader.size_in,
        first.size,
        made,
        learnable,
        leader.margin,
    )


def _resizer(module: fx.GraphModule, member: Converted) -> AbstractResizer:
    made = module.get_submodule(member.module)
    assert isinstance(made, AbstractResizer)
    return made
