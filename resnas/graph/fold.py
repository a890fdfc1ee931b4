"""Sites become space to depth: pixels turn into channels, and what follows takes them in."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from torch import fx, nn

from resnas.errors import InvalidResizer
from resnas.graph.convert import Converted, insert, plan
from resnas.graph.embed import embed, peculiar
from resnas.graph.sites import Place
from resnas.graph.widen import Spread, TooNarrow, widen
from resnas.resizers._base import AbstractResizer
from resnas.resizers._base import Place as Placing


def fold(
    module: fx.GraphModule,
    places: Sequence[Place],
    resizer: type[AbstractResizer],
    placing: Placing,
) -> tuple[list[tuple[list[Place], list[Converted] | None]], dict[str, str]]:
    """Put widening resizers in the place of sites, each by itself: their sizes are not learned.

    A convolution whose input is folded ("before") takes the channels in itself; elsewhere what
    follows is widened. Either way the network computes what it did, the new weights being zero,
    wherever a strided convolution stood; where a pool stood, it is an average pool for a start. A
    convolution of several groups cannot take channels of all blocks in, nor one that makes its own
    weights (PHC): it is folded "after".

    Returns:
        What stands at each site now, in the order of the graph, and for every site left alone the
        reason, by name.
    """
    done: list[tuple[list[Place], list[Converted] | None]] = []
    fixed: dict[str, str] = {}
    for place in places:
        try:
            done.append(([place], [_fold(module, place, resizer, placing)]))
        except (InvalidResizer, TooNarrow) as reason:
            fixed[place.name] = reason.found
    return done, fixed


def _fold(
    module: fx.GraphModule, place: Place, resizer: type[AbstractResizer], placing: Placing
) -> Converted:
    conv = module.get_submodule(str(place.convolution.target)) if place.convolution else None
    if conv is not None and _calls(module, place) > 1:
        raise TooNarrow(place.last, "its convolution is called in several places")
    if conv is not None and (reason := peculiar(conv)):
        raise TooNarrow(place.last, reason)
    if conv is not None and placing == "before" and _mixes(conv):
        return _before(module, place, resizer)
    anchor, site, margin = plan(module, place, "after" if placing == "before" else placing)
    made = resizer.from_site(site)
    assert made is not None
    blocks = made.widening
    shares = [1 / blocks] * blocks if conv is None else [1.0, *[0.0] * (blocks - 1)]
    spread = Spread(
        tuple(range(site.channels)) * blocks,
        tuple(share for share in shares for _ in range(site.channels)),
    )
    widening = widen(module, place.last if conv is None else anchor, spread)
    converted = insert(module, place, anchor, site, margin, made)
    widening.apply()
    return converted


def _before(module: fx.GraphModule, place: Place, resizer: type[AbstractResizer]) -> Converted:
    node = place.convolution
    assert node is not None
    anchor, site, _ = plan(module, place, "before")
    v, h = (size // step for size, step in zip(site.size_in, site.stride, strict=True))
    site = dataclasses.replace(site, size_out=(v, h))
    made = resizer.from_site(site)
    assert made is not None
    conv = module.get_submodule(str(node.target))
    assert isinstance(conv, nn.Conv2d)
    taken = embed(conv, site.stride[0], (v - place.size[0], h - place.size[1]))
    module.set_submodule(str(node.target), taken)
    return insert(module, place, anchor, site, (0, 0), made)


def _mixes(conv: nn.Module) -> bool:
    """Whether a convolution takes all channels in, and nothing but zeros around the map."""
    if not isinstance(conv, nn.Conv2d):
        return False
    return conv.groups == 1 and conv.padding_mode == "zeros"


def _calls(module: fx.GraphModule, place: Place) -> int:
    node = place.convolution
    assert node is not None
    return sum(n.op == node.op and n.target == node.target for n in module.graph.nodes)
