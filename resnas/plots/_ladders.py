"""What the maps of an architecture look like beside those of its backbone."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING, Any

from resnas.plots._style import (
    AMBER,
    BLUE,
    GREEN,
    NOTHING,
    ORANGE,
    TEXT,
    layout,
    literal,
    pixels,
)
from resnas.profiles import MapFacts, Profile
from resnas.results import Size

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_FOLLOW = frozenset({"norm", "activation", "add", "scale", "concat"})
"""Kinds whose map has the size of the one before; a ladder has no rung of their own for them."""
_COLOURS = {
    "conv": ("rgba(0,114,178,0.25)", BLUE),
    "input": (NOTHING, TEXT),
    "pool": ("rgba(230,159,0,0.35)", AMBER),
    "resizer": ("rgba(213,94,0,0.15)", ORANGE),
}
"""Of the area and of the edge of a rectangle; other kinds are drawn as convolutions are."""
_ABREAST = 10
"""More labels than that stand upright under their rectangles."""
_LETTER, _LINE, _APART = 6, 12, 4
"""Pixels of a label: a letter's width, a line's height, and what is left free beside it."""
_AROUND = 40
"""Pixels of a figure beside its ladder."""
_NAMED = 8
"""Layers that a hover card names one by one."""


@dataclass(frozen=True)
class Rung:
    """Successive maps of one kind and one size, drawn as one rectangle."""

    kind: str
    size: Size
    human: Size | None
    maps: tuple[MapFacts, ...] = ()


def shape_ladder(profile: Profile, *, title: str | None = None) -> Figure:
    """Every feature map as a rectangle, H × W to scale, in the order of the network.

    Successive maps of one kind and size are one rectangle with "×n" under it; the human sizes are
    outlined over them. Normalisations and activations have the size of what they follow and are
    not drawn. `meta` of a rectangle are the names of its layers.
    """
    from plotly import graph_objects as go

    row = _row(profile, "x", "y", _slot(profile))
    form = layout(f"Shapes of {profile.backbone}" if title is None else title)
    axes = {"xaxis": _across(row, row.end, "y"), "yaxis": _up(_tallest(profile), (0.0, 1.0))}
    slope = _tallest(profile) / row.end
    return go.Figure(row.traces, form | axes | _extent(slope, _least_width(row, row.end)))


def ladders(
    a: Profile, b: Profile, labels: tuple[str, str] = ("A", "B"), *, title: str = "Shapes"
) -> Figure:
    """Two architectures above one another, each as `shape_ladder` draws it, on one scale."""
    from plotly import graph_objects as go

    slot, tallest = max(_slot(a), _slot(b)), max(_tallest(a), _tallest(b))
    upper, lower = _row(a, "x", "y", slot), _row(b, "x2", "y2", slot)
    known = {trace["name"] for trace in upper.traces}
    for trace in lower.traces:
        trace["showlegend"] = trace["showlegend"] and trace["name"] not in known
    end = max(upper.end, lower.end)
    axes = {
        "xaxis": _across(upper, end, "y"),
        "yaxis": _up(tallest, (0.58, 0.94)),
        "xaxis2": _across(lower, end, "y2") | {"matches": "x"},
        "yaxis2": _up(tallest, (0.0, 0.36)) | {"anchor": "x2", "scaleanchor": "x2"},
        "annotations": [_heading(y, text) for y, text in zip((0.94, 0.36), labels, strict=True)],
    }
    least = max(_least_width(row, end) for row in (upper, lower))
    extent = _extent(tallest / end, least, rows=2)
    return go.Figure([*upper.traces, *lower.traces], layout(title) | axes | extent)


def rungs_of(profile: Profile) -> list[Rung]:
    """The rectangles of a ladder: the input, then its maps, equal neighbours together.

    Vectors and maps of a single pixel have no shape to show.
    """
    whole = (profile.input_size[1], profile.input_size[2])
    found = [Rung("input", whole, whole)]
    for each in profile.maps:
        if each.size is None or each.size == (1, 1) or each.kind in _FOLLOW:
            continue
        last = found[-1]
        if (last.kind, last.size, last.human) == (each.kind, each.size, each.human_size):
            found[-1] = replace(last, maps=(*last.maps, each))
        else:
            found.append(Rung(each.kind, each.size, each.human_size, (each,)))
    return found


@dataclass
class _Row:
    """A ladder from left to right.

    Attributes:
        rungs: what its rectangles are.
        centres: where they stand.
        end: where the last one ends.
    """

    traces: list[dict[str, Any]] = field(default_factory=list)
    rungs: list[Rung] = field(default_factory=list)
    centres: list[float] = field(default_factory=list)
    end: float = 0.0


def _row(profile: Profile, x: str, y: str, slot: float) -> _Row:
    row = _Row()
    xs: list[float | None] = []
    ys: list[float | None] = []
    for rung in rungs_of(profile):
        human = rung.human or rung.size
        width = max(rung.size[1], human[1], slot)
        centre = row.end + width / 2
        first = all(trace["legendgroup"] != rung.kind for trace in row.traces)
        row.traces.append(_rectangle(rung, centre, first) | {"xaxis": x, "yaxis": y})
        if rung.maps and rung.human:
            for values, drawn in zip((xs, ys), _outline(rung.human, centre), strict=True):
                values += [*drawn, None]
        row.centres.append(centre)
        row.rungs.append(rung)
        row.end += width + slot / 4
    row.traces.append(_human(xs, ys) | {"xaxis": x, "yaxis": y})
    return row


def _rectangle(rung: Rung, centre: float, first: bool) -> dict[str, Any]:
    fill, line = _COLOURS.get(rung.kind, _COLOURS["conv"])
    xs, ys = _outline(rung.size, centre)
    return {
        "type": "scatter",
        "name": literal(rung.kind),
        "legendgroup": rung.kind,
        "showlegend": first,
        "mode": "lines",
        "x": xs,
        "y": ys,
        "fill": "toself",
        "fillcolor": fill,
        "fillpattern": {"shape": "/", "size": 6, "fgcolor": line, "bgcolor": fill}
        if rung.kind == "resizer"
        else {"shape": ""},
        "line": {"color": line, "width": 1.5},
        "hoveron": "fills",
        "text": _told(rung),
        "hoverinfo": "text",
        "meta": [each.name for each in rung.maps],
    }


def _human(xs: list[float | None], ys: list[float | None]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "name": "human",
        "legendgroup": "human",
        "showlegend": bool(xs),
        "mode": "lines",
        "x": xs,
        "y": ys,
        "line": {"color": GREEN, "width": 1.5, "dash": "dot"},
        "hoverinfo": "skip",
    }


def _outline(size: Size, centre: float) -> tuple[list[float], list[float]]:
    """The corners of a rectangle whose middle is (centre, 0), from the first back to it."""
    v, h = size[0] / 2, size[1] / 2
    return [centre - h, centre + h, centre + h, centre - h, centre - h], [-v, -v, v, v, -v]


def _label(rung: Rung, between: str) -> str:
    count = f"{between}×{len(rung.maps)}" if len(rung.maps) > 1 else ""
    return pixels(rung.size) + count


def _told(rung: Rung) -> str:
    """The hover card of a rectangle."""
    channels = sorted({each.channels for each in rung.maps if each.channels is not None})
    human = "" if rung.human in (None, rung.size) else f", human {pixels(rung.human)}"
    told = [f"<b>{literal(rung.kind)} {pixels(rung.size)}</b>{human}"]
    if channels:
        told.append("to ".join(f"{c} " for c in {channels[0]: 0, channels[-1]: 0}) + "channels")
    if rung.maps:
        told.append(f"{sum(each.macs for each in rung.maps) / 1e9:.4g} GMACs")
    told += [literal(each.name) for each in rung.maps[:_NAMED]]
    if len(rung.maps) > _NAMED:
        told.append(f"and {len(rung.maps) - _NAMED} more")
    return "<br>".join(told)


def _tallest(profile: Profile) -> int:
    return max(max(rung.size[0], (rung.human or rung.size)[0]) for rung in rungs_of(profile))


def _extent(slope: float, least_width: int, rows: int = 1) -> dict[str, Any]:
    """Pixels that a figure needs: its height on a common page, and the least width it reads in."""
    height = min(max(900 * slope, 90.0), 320.0) + 110
    return {"height": rows * height + 80, "meta": {"least_width": least_width}}


def _least_width(row: _Row, end: float) -> int:
    """Pixels across which no label of a row that ends at `end` touches the next one."""
    wide = [_LINE] * len(row.rungs)
    if len(row.rungs) <= _ABREAST:
        lines = (_label(rung, "<br>").split("<br>") for rung in row.rungs)
        wide = [_LETTER * max(map(len, label)) for label in lines]
    gaps = pairwise(zip(row.centres, wide, strict=True))
    scales = (((a + b) / 2 + _APART) / (right - left) for (left, a), (right, b) in gaps)
    return ceil(max(scales, default=0.0) * end) + _AROUND


def _slot(profile: Profile) -> float:
    """The room of the smallest rectangles, enough for what is written under them."""
    rungs = rungs_of(profile)
    return max(0.03 * sum(max(r.size[1], (r.human or r.size)[1]) for r in rungs), 1.0)


def _across(row: _Row, end: float, crossing: str) -> dict[str, Any]:
    upright = len(row.rungs) > _ABREAST
    return {
        "anchor": crossing,
        "range": [-0.01 * end, 1.01 * end],
        "tickvals": row.centres,
        "ticktext": [_label(rung, " " if upright else "<br>") for rung in row.rungs],
        "tickangle": -90 if upright else 0,
        "tickfont": {"size": 10},
        "showgrid": False,
        "zeroline": False,
        "automargin": True,
    }


def _up(tallest: int, domain: tuple[float, float]) -> dict[str, Any]:
    return {
        "visible": False,
        "range": [-0.54 * tallest, 0.54 * tallest],
        "domain": list(domain),
        "scaleanchor": "x",
        "constrain": "domain",
    }


def _heading(y: float, text: str) -> dict[str, Any]:
    where = {"x": 0, "y": y, "xref": "paper", "yref": "paper"}
    return where | {
        "text": literal(text),
        "xanchor": "left",
        "yanchor": "bottom",
        "showarrow": False,
    }
