"""Where the multiply-accumulates of an architecture are, beside those of its backbone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resnas.plots._style import BLUE, GREEN, NOTHING, axis, layout, literal
from resnas.profiles import MapFacts, Profile

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MOST_BARS = 60
"""More layers are folded to the blocks that they are in."""
_MOST_NAMES = 24
"""Where there are more bars, only the blocks that they are in are named."""
_LONGEST = 24
"""Characters of a name under a bar; hovering tells all of it."""


@dataclass
class Bar:
    """What one layer, or one block of layers, costs, in multiply-accumulates."""

    name: str
    layers: int = 0
    macs: int = 0
    human: int = 0


def layer_costs(profile: Profile, *, title: str | None = None) -> Figure:
    """GMACs layer by layer as bars, the human's beside them; of blocks where there are many layers.

    Layers that cost nothing in either are left out. `customdata` of a bar is its layer's name.
    """
    from plotly import graph_objects as go

    bars = bars_of(profile)
    here = _bars("this architecture", bars, [bar.macs for bar in bars])
    human = _bars("human", bars, [bar.human for bar in bars])
    here["marker"] = {"color": BLUE}
    human["marker"] = {"color": NOTHING, "line": {"color": GREEN, "width": 1.5}}
    human["marker"]["pattern"] = {"shape": "/", "fgcolor": GREEN, "size": 5}
    total = f"{profile.gmacs:.4g} GMACs, human {profile.human_gmacs:.4g}"
    form = layout(f"Cost of {profile.backbone}: {total}" if title is None else title)
    named = _named(bars)
    names = {
        "tickvals": list(named),
        "ticktext": [literal(_short(name)) for name in named.values()],
        "tickangle": -90 if len(named) > 12 else None,
        "tickfont": {"size": 10},
        "showgrid": False,
    }
    axes = {
        "xaxis": axis("") | names,
        "yaxis": axis("GMACs") | {"rangemode": "tozero", "tickformat": ".4~g"},
        "barmode": "group",
        "bargap": 0.25,
        "hovermode": "x unified",
        "meta": {"least_width": 14 * len(named) + 80},
    }
    return go.Figure([here, human], form | axes)


def bars_of(profile: Profile) -> list[Bar]:
    """What costs anything, in the order of the network, in the finest parts that are few enough."""
    paid = [each for each in profile.maps if each.macs or each.human_macs]
    deepest = max((each.name.count(".") + 1 for each in paid), default=1)
    for depth in range(deepest, 0, -1):
        bars = _folded(paid, depth)
        if len(bars) <= MOST_BARS:
            break
    return bars


def _named(bars: list[Bar]) -> dict[int, str]:
    """What is written under which bar: all names, or those of the blocks that begin there."""
    for depth in range(max((bar.name.count(".") + 1 for bar in bars), default=1), 0, -1):
        blocks = [".".join(bar.name.split(".")[:depth]) for bar in bars]
        named = {
            at: block
            for at, (block, before) in enumerate(zip(blocks, [None, *blocks], strict=False))
            if block != before
        }
        if len(named) <= _MOST_NAMES:
            break
    return named


def _folded(maps: list[MapFacts], depth: int) -> list[Bar]:
    bars: dict[str, Bar] = {}
    for each in maps:
        block = ".".join(each.name.split(".")[:depth])
        bar = bars.setdefault(block, Bar(block))
        bar.layers += 1
        bar.macs += each.macs
        bar.human += each.human_macs or 0
    return list(bars.values())


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else "…" + name[1 - _LONGEST :]


def _bars(name: str, bars: list[Bar], macs: list[int]) -> dict[str, Any]:
    return {
        "type": "bar",
        "name": name,
        "x": list(range(len(bars))),
        "y": [count / 1e9 for count in macs],
        "customdata": [bar.name for bar in bars],
        "hovertext": [literal(bar.name) + _layers(bar) for bar in bars],
        "hovertemplate": "%{hovertext}: %{y:.4g} GMACs",
    }


def _layers(bar: Bar) -> str:
    return f" ({bar.layers} layers)" if bar.layers > 1 else ""
