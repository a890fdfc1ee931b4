"""What the command line draws with characters: fronts on a plane, sizes as bars.

Everything here turns values into text and knows of no terminal; `service.console` prints it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

from rich.text import Text

from resnas.results import Size
from service.answers import FrontPoint

COLOURS = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#F0E442", "#0072B2", "#999999")
"""By Okabe and Ito: told apart by colour-blind people, too. Symbols differ as well."""
DIM = "bright_black"
_EIGHTHS = " ▏▎▍▌▋▊▉"
_TICKS = 8  # at most, about
_ROUNDING = 1e-9  # of a step, that a tick may be beside its place
_MARGIN = 0.06  # share of the range that is left free at either end


@dataclass(frozen=True)
class Glyphs:
    """The characters of a drawing.

    Attributes:
        fronts: a point of the first front, of the second, ...
        beyond: for what lies to the left, and to the right.
        braille: whether lines can be drawn by the dots of braille characters.
    """

    fronts: str
    dominated: str
    best: str
    knee: str
    budget: str
    side: str
    tick: str
    corner: str
    floor: str
    full: str
    ghost: str
    beyond: str
    braille: bool


UNICODE = Glyphs("●■▲▼○□△▽", "·", "★", "◆", "┊", "│", "┤", "└", "─", "█", "┈", "←→", True)
ASCII = Glyphs("ox+%nsvz", ".", "B", "K", ":", "|", "+", "+", "-", "#", ".", "<>", False)


@dataclass(frozen=True)
class Curve:
    """One front to draw.

    Attributes:
        label: what it is called.
        points: cheapest first.
        dominated: points that are not on it.
    """

    label: str
    points: Sequence[FrontPoint]
    dominated: Sequence[FrontPoint] = ()


@dataclass(frozen=True)
class Axis:
    """A range of values, and the round ones in it."""

    low: float
    high: float
    ticks: tuple[float, ...]

    @classmethod
    def around(
        cls, values: Iterable[float], least: float = -math.inf, most: float = math.inf
    ) -> Self:
        """The axis on which all values lie, with some room at either end.

        Args:
            values: one at least.
            least: that there can be; no tick lies below it.
            most: that there can be; no tick lies above it.
        """
        known = list(values)
        low, high = min(known), max(known)
        room = _MARGIN * ((high - low) or abs(high) or 1.0)
        low, high = low - room, high + room
        step = _round_step((high - low) / _TICKS)
        first = math.ceil(max(low, least) / step - _ROUNDING)
        last = math.floor(min(high, most) / step + _ROUNDING)
        return cls(low, high, tuple(n * step for n in range(first, last + 1)))

    def cell(self, value: float, count: int) -> int:
        """Which of `count` cells a value lies in."""
        return min(count - 1, max(0, int((value - self.low) / (self.high - self.low) * count)))

    @property
    def digits(self) -> int:
        """Digits behind the point that tell the ticks apart."""
        step = (self.high - self.low) / _TICKS
        return max(0, -math.floor(math.log10(_round_step(step))))


class Canvas:
    """A grid of characters with styles; lines are drawn by the 2×4 dots of braille characters."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self._cells: dict[tuple[int, int], tuple[str, str]] = {}
        self._dots: dict[tuple[int, int], tuple[int, str]] = {}

    def put(self, column: int, row: int, character: str, style: str) -> None:
        """A character, over whatever stood there; rows count from the bottom."""
        self._cells[column, row] = (character, style)

    def dot(self, x: int, y: int, style: str) -> None:
        """A dot of a line, 2 to a column and 4 to a row, from the bottom left."""
        place = (x // 2, y // 4)
        bits, _ = self._dots.get(place, (0, style))
        self._dots[place] = (bits | _braille_bit(x % 2, 3 - y % 4), style)

    def line(self, row: int) -> Text:
        """One row of it."""
        text = Text()
        for column in range(self.width):
            if (column, row) in self._cells:
                text.append(*self._cells[column, row])
            elif (column, row) in self._dots:
                bits, style = self._dots[column, row]
                text.append(chr(0x2800 + bits), style)
            else:
                text.append(" ")
        return text


def front(
    curves: Sequence[Curve],
    *,
    budget: float | None,
    marked: Sequence[tuple[str, FrontPoint | None]],
    size: tuple[int, int],
    glyphs: Glyphs,
) -> Text:
    """Fronts over one another: accuracy upwards, GMACs to the right, the budget as a line.

    Args:
        curves: one at least, with two points at least among them.
        budget: GMACs; null: of none, or of several.
        marked: characters and the points that they stand on.
        size: columns and rows of the plane, without what stands beside it.
        glyphs: to draw with.
    """
    everything = [point for curve in curves for point in (*curve.points, *curve.dominated)]
    costs = [point.gmacs for point in everything]
    seen = budget is not None and is_near(budget, costs)
    across = Axis.around([*costs, budget] if seen and budget is not None else costs, least=0)
    up = Axis.around((point.val_accuracy for point in everything), least=0, most=1)
    plane = Canvas(*size)
    if seen and budget is not None:
        for row in range(plane.height):
            plane.put(across.cell(budget, plane.width), row, glyphs.budget, DIM)
    for curve in curves:
        _put(plane, across, up, curve.dominated, glyphs.dominated, DIM)
    for number, curve in enumerate(curves):
        style = COLOURS[number % len(COLOURS)]
        if glyphs.braille:
            _stair(plane, across, up, curve.points, style)
        _put(plane, across, up, curve.points, glyphs.fronts[number % len(glyphs.fronts)], style)
    for character, point in marked:
        if point is not None:
            _put(plane, across, up, [point], character, "bold #E69F00")
    return _framed(plane, across, up, glyphs)


def bar(size: Size, human: Size | None, longest: int, width: int, glyphs: Glyphs) -> Text:
    """A map's side as a bar; where the human one is longer, up to it as a ghost.

    Args:
        size: (H, W) of the map.
        human: of the same map in the backbone as its authors made it.
        longest: side that takes the whole width.
        width: in characters.
        glyphs: to draw with.
    """
    filled = _side(size) / longest * width
    whole = int(filled)
    text = Text(glyphs.full * whole, COLOURS[0])
    if glyphs.braille and (rest := int(8 * (filled - whole))):
        text.append(_EIGHTHS[rest], COLOURS[0])
    if human is not None:
        ghost = round(_side(human) / longest * width) - len(text)
        text.append(glyphs.ghost * max(0, ghost), DIM)
    return text


def _side(size: Size) -> float:
    """Of the square of the same area."""
    return math.sqrt(size[0] * size[1])


def sign_of(budget: float, costs: Sequence[float], glyphs: Glyphs) -> str:
    """What stands for the budget: its line, or where it lies beyond the plane."""
    if is_near(budget, costs):
        return glyphs.budget
    return glyphs.beyond[budget > max(costs)]


def is_near(budget: float, costs: Sequence[float]) -> bool:
    """Whether a line there leaves most of the plane to the points."""
    span = (max(costs) - min(costs)) or 0.1 * max(costs)
    return min(costs) - span <= budget <= max(costs) + span


def _put(
    plane: Canvas, across: Axis, up: Axis, points: Iterable[FrontPoint], character: str, style: str
) -> None:
    for point in points:
        column = across.cell(point.gmacs, plane.width)
        plane.put(column, up.cell(point.val_accuracy, plane.height), character, style)


def _stair(plane: Canvas, across: Axis, up: Axis, points: Sequence[FrontPoint], style: str) -> None:
    """What a budget buys: level from one point to the cost of the next one, then up to it."""
    places = [
        (across.cell(p.gmacs, 2 * plane.width), up.cell(p.val_accuracy, 4 * plane.height))
        for p in points
    ]
    for (x, y), (next_x, next_y) in pairwise(places):
        for dot in range(x, next_x + 1):
            plane.dot(dot, y, style)
        for dot in range(y, next_y + 1):
            plane.dot(next_x, dot, style)


def _framed(plane: Canvas, across: Axis, up: Axis, glyphs: Glyphs) -> Text:
    named = {up.cell(tick, plane.height): _percent(tick, up) for tick in up.ticks}
    width = max(map(len, named.values()), default=0)
    lines = []
    for row in reversed(range(plane.height)):
        label = named.get(row, "")
        side = glyphs.tick if label else glyphs.side
        lines.append(Text(f"{label:>{width}} {side}", DIM) + plane.line(row))
    lines.append(Text(f"{'':>{width}} {glyphs.corner}{glyphs.floor * plane.width} GMACs", DIM))
    lines.append(Text(f"{'':>{width}}  {_labels(across, plane.width)}", DIM))
    return Text("\n").join(lines)


def _labels(across: Axis, width: int) -> str:
    """The round costs, each under its place; every second one, or fewer, where room is short."""
    texts = [f"{tick:.{across.digits}f}" for tick in across.ticks]
    places = [
        max(0, min(across.cell(tick, width) - len(text) // 2, width - len(text)))
        for tick, text in zip(across.ticks, texts, strict=True)
    ]
    room = min((b - a for a, b in pairwise(places)), default=width)
    every = math.ceil((max(map(len, texts), default=0) + 2) / max(1, room))
    line = ""
    for place, text in list(zip(places, texts, strict=True))[::every]:
        line = f"{line:<{place}}{text}"
    return line


def _percent(value: float, axis: Axis) -> str:
    return f"{100 * value:.{max(0, axis.digits - 2)}f} %"


def _round_step(least: float) -> float:
    """The smallest of 1, 2, 5, 10, 20, ... and their tenths, hundredths, ... from `least` on."""
    unit: float = 10 ** math.floor(math.log10(least))
    return next(n * unit for n in (1, 2, 5, 10) if n * unit >= least * (1 - 1e-9))


def _braille_bit(x: int, y: int) -> int:
    """Of the dot in column `x` and row `y`, from the top left, as Unicode numbers them."""
    return ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))[x][y]
