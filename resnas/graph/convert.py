"""Sites become resizers: the rewriting of a traced backbone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn

from resnas.errors import SizeConflict
from resnas.graph.sites import Place, behind, is_global_pool, target
from resnas.graph.sizes import Propagation, Special
from resnas.graph.trace import spatial, where
from resnas.graph.variables import Resized
from resnas.graph.windows import reaches
from resnas.polynomial import Dim, Shape
from resnas.resizers._base import AbstractResizer, Site
from resnas.resizers._base import Place as Placing
from resnas.results import Size


@dataclass(frozen=True)
class Converted:
    """One resizer in the rewritten graph.

    Attributes:
        place: the site it stands for.
        module: its name in the graph.
        node: where it is called.
        size_in: (H, W) that it resizes at the human design.
        margin: pixels that its map is larger than the map behind the site, per axis.
    """

    place: Place
    module: str
    node: fx.Node
    size_in: Size
    margin: Size


def replace(
    module: fx.GraphModule,
    places: Sequence[Place],
    resizer: type[AbstractResizer],
    placing: Placing,
) -> list[Converted] | None:
    """Put resizers of one group in the place of its sites, in the graph itself.

    Returns:
        What stands there now; None where the resizer leaves such sites alone.
    """
    plans = [plan(module, place, placing) for place in places]
    modules = [resizer.from_site(site) for _, site, _ in plans]
    if any(made is None for made in modules):
        return None
    done = []
    for place, (anchor, site, margin), made in zip(places, plans, modules, strict=True):
        assert made is not None
        done.append(insert(module, place, anchor, site, margin, made))
    return done


def plan(module: fx.GraphModule, place: Place, placing: Placing) -> tuple[fx.Node, Site, Size]:
    """Behind which node the resizer goes, what it gets to see there, and its margin."""
    conv, margin = place.convolution, (0, 0)
    if conv is None:
        assert place.pool is not None
        anchor = place.pool.all_input_nodes[0]
        size_in = spatial(anchor)
    else:
        both = reaches(module.get_submodule(str(conv.target)))
        assert both is not None
        grown = (both[0].growth, both[1].growth)
        size_in = spatial(conv.all_input_nodes[0])
        if placing == "before":
            anchor, margin = conv.all_input_nodes[0], (-grown[0], -grown[1])
        else:
            size_in = (size_in[0] + grown[0], size_in[1] + grown[1])
            anchor = conv if placing == "conv" else behind(module, conv)
    site = Site(
        name=place.name,
        channels=int(anchor.meta["value"][1]),
        stride=place.stride,
        size_in=size_in,
        size_out=(place.size[0] + margin[0], place.size[1] + margin[1]),
    )
    return anchor, site, margin


def insert(
    module: fx.GraphModule,
    place: Place,
    anchor: fx.Node,
    site: Site,
    margin: Size,
    made: AbstractResizer,
) -> Converted:
    """Put one resizer behind `anchor`, where `plan` says, and take its site's stride away."""
    graph, conv, pool = module.graph, place.convolution, place.pool
    name = "resizer_" + place.name.replace(".", "_")
    while hasattr(module, name):
        name += "_"
    module.add_submodule(name, made)
    if conv is not None:
        rewritten: Any = module.get_submodule(str(conv.target))
        rewritten.stride = (1, 1)
    with graph.inserting_after(anchor):
        node = graph.call_module(name, (anchor,))
    node.stack_trace = place.last.stack_trace
    node.meta["value"] = torch.Size((1, site.channels * made.widening, *site.size_out))
    if pool is not None and anchor is pool.all_input_nodes[0]:
        pool.replace_all_uses_with(node)
    else:
        if conv is not None and anchor is conv.all_input_nodes[0]:
            conv.replace_input_with(anchor, node)  # other users keep the map as it was
        else:
            anchor.replace_all_uses_with(node, delete_user_cb=lambda user: user is not node)
        if pool is not None:
            last = pool.all_input_nodes[0]
            _shrink(last, node, place.size)
            pool.replace_all_uses_with(last)
    if pool is not None:
        graph.erase_node(pool)
    return Converted(place, name, node, site.size_in, margin)


def _shrink(last: fx.Node, resizer: fx.Node, size: Size) -> None:
    """Note the size of the maps from a resizer to `last`, where a pool behind them stood."""
    while last is not resizer:
        last.meta["value"] = torch.Size((*last.meta["value"][:2], *size))
        last = last.all_input_nodes[0]


def follow_leaders(module: fx.GraphModule, groups: Sequence[Sequence[Converted]]) -> Propagation:
    """Tie every group to its leader and size the whole graph.

    Groups come with their leader, the first resizer in the graph, in front. Members share its
    stride; one whose map has another size than the leader's is handed the leader's map as well,
    so that both get the size that the leader decides.

    Raises:
        SizeConflict: maps that meet would not have one size.
    """
    special: dict[str, Special] = {}
    variables: dict[str, tuple[Dim, Dim]] = {}
    _open_global_pools(module, [member.node for members in groups for member in members])
    for members in groups:
        leader = members[0]
        for member in members:
            _tie(module, member, leader)
            special[member.node.name] = _resized(member, leader, variables)
    rewritten = {str(m.place.convolution.target) for g in groups for m in g if m.place.convolution}
    changed = [node for node in module.graph.nodes if str(node.target) in rewritten]
    propagation = Propagation(module, special, _must_be_equal, changed)
    for leader, *members in groups:
        source = leader.node.all_input_nodes[0]
        for member in members:
            own = propagation.shape(member.node.all_input_nodes[0])[2:]
            if own != propagation.shape(source)[2:]:
                _must_follow(module, member, leader)
                member.node.args = (*member.node.args, source)
    return propagation


def _tie(module: fx.GraphModule, member: Converted, leader: Converted) -> None:
    first, other = (module.get_submodule(c.module) for c in (leader, member))
    assert isinstance(first, AbstractResizer)
    assert isinstance(other, AbstractResizer)
    other.follow(first)
    other.offset = (member.margin[0] - leader.margin[0], member.margin[1] - leader.margin[1])


def _must_follow(module: fx.GraphModule, member: Converted, leader: Converted) -> None:
    resizer = module.get_submodule(member.module)
    assert isinstance(resizer, AbstractResizer)
    if not resizer.follows_lead:
        raise SizeConflict(
            where(member.node),
            f"its map has to get the size that {leader.place.name} gives to a map of another size, "
            f"which {type(resizer).__name__} cannot",
            "Choose another resizer (dynopool), or exclude these sites with sites=[...]",
        )


def _resized(
    member: Converted, leader: Converted, variables: dict[str, tuple[Dim, Dim]]
) -> Special:
    shift = [member.margin[axis] - leader.margin[axis] for axis in (0, 1)]

    def shape(propagation: Propagation, node: fx.Node, before: Shape) -> Shape:
        del node
        resizer = propagation.target(member.node)
        if resizer.widens:  # learns no size, and stands where sizes do not change
            return (before[0], before[1] * resizer.widening, *resizer.hard_size(before[2:]))
        if leader.module not in variables:
            step = Resized(leader.module, (before[2], before[3]))
            human = spatial(leader.node)
            variables[leader.module] = propagation.program.resized(step, human)
        height, width = variables[leader.module]
        return (*before[:2], height + shift[0], width + shift[1])

    return shape


def _must_be_equal(one: Dim, other: Dim, node: fx.Node) -> Dim:
    raise SizeConflict(
        where(node),
        f"maps of sizes {one} and {other} meet, which are not the same",
        "Exclude the sites before it with sites=[...]",
    )


def _open_global_pools(module: fx.GraphModule, resized: Sequence[fx.Node]) -> None:
    """Let pools over a whole map pool the whole map whatever its size, behind the resizers."""
    for node in _downstream(resized):
        if is_global_pool(module, node):
            pool = target(module, node)
            average = isinstance(pool, nn.AvgPool2d) or pool is F.avg_pool2d
            name = f"global_{node.name}"
            module.add_submodule(
                name, nn.AdaptiveAvgPool2d(1) if average else nn.AdaptiveMaxPool2d(1)
            )
            with module.graph.inserting_after(node):
                call = module.graph.call_module(name, (node.all_input_nodes[0],))
            call.meta.update(node.meta)
            node.replace_all_uses_with(call)
            module.graph.erase_node(node)


def _downstream(nodes: Sequence[fx.Node]) -> list[fx.Node]:
    """All nodes that depend on one of `nodes` and call something."""
    found: dict[fx.Node, None] = {}
    pending = [user for node in nodes for user in node.users]
    while pending:
        node = pending.pop()
        if node not in found:
            found[node] = None
            pending += node.users
    return [node for node in found if node.op in {"call_module", "call_function"}]
