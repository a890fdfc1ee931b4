"""The front as an SVG picture, drawn without any plotting library (for a README or a terminal)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from resnas import pareto
from resnas.plots import BLUE, GREEN, GREY, ORANGE, Mark

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 700, 50, 365


def front_svg(
    marks: Sequence[Mark],
    budget_gmacs: float | None = None,
    human_gmacs: float | None = None,
    title: str = "Accuracy against cost",
) -> str:
    """An SVG document of validation accuracy over GMACs; arguments as for `plots.front`."""
    points = [(mark.val_accuracy, mark.gmacs) for mark in marks if mark.drawable]
    limits = [("budget", budget_gmacs, ORANGE), ("human", human_gmacs, GREEN)]
    lines = [(name, gmacs, colour) for name, gmacs, colour in limits if gmacs is not None]
    across = _Axis([c for _, c in points] + [g for _, g, _ in lines], LEFT, RIGHT)
    up = _Axis([a for a, _ in points], BOTTOM, TOP)
    chosen = pareto.front(points)
    body = [_text(LEFT, 26, title, size=16)]
    for tick in across.ticks:
        body.append(_line(across(tick), TOP, across(tick), BOTTOM, "#e6e6e6"))
        body.append(_text(across(tick), BOTTOM + 18, f"{tick:.6g}", anchor="middle"))
    for tick in up.ticks:
        body.append(_line(LEFT, up(tick), RIGHT, up(tick), "#e6e6e6"))
        body.append(_text(LEFT - 8, up(tick) + 4, f"{100 * tick:.5g} %", anchor="end"))
    body.append(_text((LEFT + RIGHT) / 2, HEIGHT - 14, "GMACs of one image", anchor="middle"))
    body.append(_text(RIGHT, 26, "validation accuracy", anchor="end"))
    for name, gmacs, colour in lines:
        body.append(_line(across(gmacs), TOP, across(gmacs), BOTTOM, colour, dash="6 4"))
        body.append(_text(across(gmacs), TOP - 6, name, anchor="middle", colour=colour))
    body.append(_stair([(across(points[i][1]), up(points[i][0])) for i in chosen]))
    for index, (accuracy, gmacs) in enumerate(points):
        colour = BLUE if index in chosen else GREY
        body.append(_dot(across(gmacs), up(accuracy), colour, f"{gmacs:.4g} G, {accuracy:.2%}"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" role="img">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


class _Axis:
    """Values to pixels, with about five round ticks around all values."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        low, high = (min(values), max(values)) if values else (0.0, 1.0)
        margin = 0.06 * (high - low) or 0.05 * abs(high) or 0.5
        self.low, self.high = low - margin, high + margin
        self.start, self.end = start, end
        rough = (self.high - self.low) / 5
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        self.ticks = [count * step for count in range(first, last + 1)]

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, dash: str = "none") -> str:
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="{colour}" stroke-width="1.5" stroke-dasharray="{dash}"/>'


def _text(
    x: float, y: float, text: str, anchor: str = "start", colour: str = "#333333", size: int = 12
) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} fill="{colour}" font-size="{size}">{escape(text)}</text>'


def _stair(corners: Sequence[tuple[float, float]]) -> str:
    """The front's line: level until the next point's cost, then up to its accuracy."""
    (start, *rest) = corners or [(LEFT, BOTTOM)]
    steps = [f"M{start[0]:.1f} {start[1]:.1f}", *(f"H{x:.1f}V{y:.1f}" for x, y in rest)]
    return f'<path d="{"".join(steps)}" fill="none" stroke="{BLUE}" stroke-width="2"/>'


def _dot(x: float, y: float, colour: str, label: str) -> str:
    title = f"<title>{escape(label)}</title>"
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}">{title}</circle>'
