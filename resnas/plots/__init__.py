"""Figures for notebook, command line and web page; `picture.py` draws the front without plotly.

Plotly is imported when a figure is made, so the library can be used without it. Everything is
drawn as SVG, never WebGL.
"""

from __future__ import annotations

from resnas.plots._colours import BLUE, GREEN, GREY, ORANGE
from resnas.plots.masks import masks
from resnas.plots.ranges import aggregation_range, contributions
from resnas.plots.searches import front, measured, shape_ladder

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "ORANGE",
    "aggregation_range",
    "contributions",
    "front",
    "masks",
    "measured",
    "shape_ladder",
]
