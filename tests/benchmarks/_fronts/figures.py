"""Hypervolume against compute, and fronts on the test split, of all strategies."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

from resnas import pareto
from resnas.plots import BLUE, GREEN, GREY, ORANGE
from tests.benchmarks._fronts.measures import Curve, Point

if TYPE_CHECKING:
    from plotly.graph_objects import Figure, Scatter

_COLOURS = (BLUE, ORANGE, GREEN, "#CC79A7", "#56B4E9", "#E69F00", "#F0E442", "#000000", GREY)
"""Those of Okabe & Ito."""


def write(figure: Figure, path: Path) -> None:
    """Write `path`.html, and `path`.png where kaleido is installed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.write_html(path.with_suffix(".html"), include_plotlyjs="cdn")
    if importlib.util.find_spec("kaleido"):
        figure.write_image(path.with_suffix(".png"), scale=2)


def volumes(curves: Mapping[str, Mapping[int, Curve]]) -> Figure:
    """Hypervolume after every training over the compute that it took; one line a seed."""
    lines = {
        name: {seed: list(zip(*curve, strict=True)) for seed, curve in by_seed.items() if curve}
        for name, by_seed in curves.items()
    }
    return _figure(
        lines,
        title="Hypervolume on the test split",
        x="compute (forward sample·GMACs)",
        y="mean accuracy above guessing, over log budgets",
    )


def fronts(points: Mapping[str, Mapping[int, Sequence[Point]]]) -> Figure:
    """Test accuracy over GMACs of what validation chooses; one line a seed."""
    lines = {
        name: {seed: _front(found) for seed, found in by_seed.items() if found}
        for name, by_seed in points.items()
    }
    return _figure(lines, title="Fronts", x="cost of one image (GMACs)", y="test accuracy")


def _front(points: Sequence[Point]) -> list[tuple[float, ...]]:
    chosen = [points[i] for i in pareto.front([(p.val, p.gmacs) for p in points])]
    return [tuple(p.gmacs for p in chosen), tuple(p.test for p in chosen)]


def _figure(
    lines: Mapping[str, Mapping[int, list[tuple[float, ...]]]], *, title: str, x: str, y: str
) -> Figure:
    from plotly import graph_objects as go

    figure = go.Figure(
        [
            _line(name, seed, line, colour, first=number == 0)
            for (name, by_seed), colour in zip(lines.items(), cycle(_COLOURS), strict=False)
            for number, (seed, line) in enumerate(by_seed.items())
        ]
    )
    figure.update_layout(title=title, xaxis_title=x, yaxis_title=y, template="plotly_white")
    figure.update_xaxes(type="log")
    return figure


def _line(
    name: str, seed: int, line: list[tuple[float, ...]], colour: str, *, first: bool
) -> Scatter:
    from plotly import graph_objects as go

    return go.Scatter(
        x=line[0],
        y=line[1],
        name=name,
        legendgroup=name,
        showlegend=first,
        mode="lines+markers",
        line={"shape": "hv", "color": colour},
        hovertemplate=f"{name}, seed {seed}<br>%{{x:.4g}}: %{{y:.4f}}<extra></extra>",
    )
