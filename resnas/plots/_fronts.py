"""What searches found: accuracy over cost, with the front as a stair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from resnas.plots._marks import Mark, card
from resnas.plots._style import (
    AMBER,
    BLUE,
    CYCLE,
    DASHES,
    GREEN,
    GREY,
    NOTHING,
    ORANGE,
    PURPLE,
    SYMBOLS,
    axis,
    layout,
    literal,
)

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_FAR = 3.0
"""A line that is this many times farther than all else is told of at the edge, not drawn."""


def front(
    marks: Sequence[Mark],
    *,
    budget_gmacs: float | None = None,
    human_gmacs: float | None = None,
    best: str | None = None,
    knee: str | None = None,
    title: str = "Accuracy against cost",
) -> Figure:
    """Validation accuracy over GMACs: the front as a stair, dominated points dimmed.

    The traces are always "dominated", "front", "best under the budget" and "knee", in that order;
    `customdata` of every point is the id of its mark. Points without a finite accuracy are left
    out.

    Args:
        marks: each says itself whether it is dominated.
        budget_gmacs: drawn as a dashed vertical line.
        human_gmacs: cost of the backbone as people designed it, drawn as a dotted vertical line.
        best: id of the most accurate mark within the budget.
        knee: id of the mark at the front's knee.
        title: of the figure.
    """
    shown = [mark for mark in marks if mark.drawable]
    dominated = [mark for mark in shown if mark.dominated]
    dim = {"color": GREY, "size": 6, "opacity": 0.55}
    traces = [
        _points("dominated", dominated, dim),
        _stair("front", _by_cost(shown), BLUE, "solid", "circle"),
        _points("best under the budget", _chosen(shown, best), _ring("star", AMBER)),
        _points("knee", _chosen(shown, knee), _ring("diamond-open", PURPLE)),
    ]
    return _figure(traces, shown, budget_gmacs, human_gmacs, title)


def fronts(
    searches: Mapping[str, Sequence[Mark]],
    *,
    budget_gmacs: float | None = None,
    human_gmacs: float | None = None,
    title: str = "Fronts over one another",
) -> Figure:
    """The fronts of several searches over one another, each a trace with the name of its search.

    Args:
        searches: their marks by name, of which the dominated ones are left out.
        budget_gmacs: drawn as for `front`.
        human_gmacs: drawn as for `front`.
        title: of the figure.
    """
    kept = {name: _by_cost([m for m in marks if m.drawable]) for name, marks in searches.items()}
    traces = [
        _stair(
            literal(name),
            marks,
            CYCLE[index % len(CYCLE)],
            DASHES[index % len(DASHES)],
            SYMBOLS[index % len(SYMBOLS)],
        )
        for index, (name, marks) in enumerate(kept.items())
    ]
    shown = [mark for marks in kept.values() for mark in marks]
    return _figure(traces, shown, budget_gmacs, human_gmacs, title)


def _figure(
    traces: list[dict[str, Any]],
    marks: Sequence[Mark],
    budget: float | None,
    human: float | None,
    title: str,
) -> Figure:
    from plotly import graph_objects as go

    across = [mark.gmacs for mark in marks]
    low, high = _range(across, budget, human)
    ends = [m.val_accuracy + sign * (m.spread or 0.0) for m in marks for sign in (-1, 1)]
    down, up = _room(ends or [0.0, 1.0], 0.005)
    lines = [("budget", budget, "dash", ORANGE), ("human", human, "dot", GREEN)]
    drawn = [
        _vertical(name, gmacs, dash, colour, index, (low, high))
        for index, (name, gmacs, dash, colour) in enumerate(lines)
        if gmacs is not None
    ]
    return go.Figure(
        traces,
        layout(title)
        | {
            "xaxis": axis("cost of one image (GMACs)")
            | {"range": [low, high], "tickformat": ".4~g"},
            "yaxis": axis("validation accuracy") | {"range": [down, up], "tickformat": ".1%"},
            "shapes": [shape for shape, _ in drawn if shape],
            "annotations": [note for _, note in drawn] + ([] if marks else [_empty()]),
        },
    )


def _range(costs: Sequence[float], budget: float | None, human: float | None) -> list[float]:
    """From where to where the costs are drawn: all points, and the lines that are not too far."""
    near = [*costs, *([] if budget is None else [budget])]
    if human is not None and (not near or human <= _FAR * max(near)):
        near.append(human)
    if not near:
        return [0.0, 1.0]
    low, high = _room(near if costs else [0.0, *near], 0.05 * max(near))
    return [max(low, -0.01 * high), high]


def _room(values: Sequence[float], least: float) -> list[float]:
    """A range that leaves some room around all values, also around a single one."""
    low, high = min(values), max(values)
    margin = max(0.06 * (high - low), least)
    return [low - margin, high + margin]


def _vertical(
    name: str, gmacs: float, dash: str, colour: str, row: int, ends: tuple[float, float]
) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """A vertical line, its label at its foot, where fronts leave room; no line beyond the edge."""
    low, high = ends
    beyond_middle = gmacs > (low + high) / 2
    note = {
        "text": f"{name} {gmacs:.4g}",
        "x": gmacs,
        "y": 0.01 + 0.07 * row,
        "yref": "paper",
        "xanchor": "right" if beyond_middle else "left",
        "xshift": -4 if beyond_middle else 4,
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"color": colour},
    }
    if gmacs > high:
        return None, note | {"x": 1, "xref": "paper", "text": f"{note['text']} →"}
    shape = {
        "type": "line",
        "name": name,
        "x0": gmacs,
        "x1": gmacs,
        "y0": 0,
        "y1": 1,
        "yref": "paper",
        "layer": "below",
        "line": {"color": colour, "dash": dash, "width": 1.5},
    }
    return shape, note


def _empty() -> dict[str, Any]:
    where = {"x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper"}
    return where | {"text": "no trial has completed yet", "showarrow": False}


def _points(name: str, marks: Sequence[Mark], marker: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "name": name,
        "mode": "markers",
        "x": [mark.gmacs for mark in marks],
        "y": [mark.val_accuracy for mark in marks],
        "customdata": [mark.id for mark in marks],
        "hovertext": [card(mark) for mark in marks],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "marker": marker,
        "showlegend": bool(marks),
    }


def _stair(name: str, marks: Sequence[Mark], colour: str, dash: str, symbol: str) -> dict[str, Any]:
    """Level until the next point's cost, then up to its accuracy; with the spread, where known."""
    marker = {"color": colour, "size": 9, "symbol": symbol, "opacity": 1.0}
    trace = _points(name, marks, marker) | {
        "mode": "lines+markers",
        "line": {"shape": "hv", "color": colour, "dash": dash, "width": 2},
    }
    if any(mark.spread for mark in marks):
        trace["error_y"] = {
            "array": [mark.spread or 0.0 for mark in marks],
            "thickness": 1,
            "width": 3,
            "color": colour,
        }
    return trace


def _ring(symbol: str, colour: str) -> dict[str, Any]:
    """A mark around or on a point of the front."""
    edge = {"color": BLUE if symbol == "star" else colour, "width": 1.5}
    return {"symbol": symbol, "size": 18, "color": colour or NOTHING, "line": edge}


def _by_cost(marks: Sequence[Mark]) -> list[Mark]:
    return sorted((mark for mark in marks if not mark.dominated), key=lambda mark: mark.gmacs)


def _chosen(marks: Sequence[Mark], wanted: str | None) -> list[Mark]:
    return [mark for mark in marks if mark.id == wanted][:1]
