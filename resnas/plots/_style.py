"""Colours of Okabe & Ito, which colour-blind readers can tell apart, and all that figures share.

Nothing relies on colour alone: kinds of points have symbols, lines have dashes. Backgrounds are
transparent, and texts and grids have greys that read on white and on black, so that a figure can
stand on any page.
"""

from __future__ import annotations

from html import escape
from typing import Any

from resnas.results import Size

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#9A9A9A"
SKY, YELLOW, PURPLE, AMBER = "#56B4E9", "#F0E442", "#CC79A7", "#E69F00"

CYCLE = (BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY)
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "pentagon", "star")

TEXT, GRID = "#757575", "rgba(128,128,128,0.25)"
NOTHING = "rgba(0,0,0,0)"


def layout(title: str) -> dict[str, Any]:
    """What all figures have in common; they take the width that they are given."""
    return {
        "template": "none",
        "title": {"text": literal(title), "x": 0, "xref": "paper", "font": {"size": 15}},
        "paper_bgcolor": NOTHING,
        "plot_bgcolor": NOTHING,
        "font": {"color": TEXT, "family": "system-ui, sans-serif", "size": 12},
        "margin": {"l": 64, "r": 16, "t": 44, "b": 72},
        "hovermode": "closest",
        "hoverlabel": {"align": "left", "namelength": -1},
        "legend": {"orientation": "h", "x": 0, "y": 0, "yref": "container", "yanchor": "bottom"},
    }


def axis(title: str) -> dict[str, Any]:
    """An axis with a light grid and no line at zero."""
    return {
        "title": {"text": title, "standoff": 8},
        "gridcolor": GRID,
        "linecolor": GRID,
        "zeroline": False,
        "automargin": True,
    }


def pixels(size: Size) -> str:
    """A size for a person."""
    return f"{size[0]}×{size[1]}"


def literal(text: str) -> str:
    """A text from data, for a place where plotly would take `<b>` for markup.

    Quotes stay as they are: plotly does not know their names.
    """
    return escape(text, quote=False)
