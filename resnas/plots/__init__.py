"""Figures for notebook, command line and web page; `picture.py` draws the front without plotly.

Plotly is imported when a figure is made, and torch for those of operators only, so the library can
be used without either. Everything is drawn as SVG, never WebGL.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from resnas.plots._costs import layer_costs
from resnas.plots._fronts import front, fronts
from resnas.plots._ladders import ladders, shape_ladder
from resnas.plots._marks import Mark, marks_of
from resnas.plots._style import BLUE, GREEN, GREY, ORANGE
from resnas.plots._training import curves

if TYPE_CHECKING:
    from resnas.plots._masks import masks
    from resnas.plots._ranges import aggregation_range, contributions

_HOMES = {"aggregation_range": "_ranges", "contributions": "_ranges", "masks": "_masks"}

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "ORANGE",
    "Mark",
    "aggregation_range",
    "contributions",
    "curves",
    "front",
    "fronts",
    "ladders",
    "layer_costs",
    "marks_of",
    "masks",
    "shape_ladder",
]


def __getattr__(name: str) -> Any:
    """The figures of operators, when the first of them is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'resnas.plots' has no attribute '{name}'")
    return getattr(importlib.import_module(f"resnas.plots.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
