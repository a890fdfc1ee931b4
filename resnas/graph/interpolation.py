"""Integer polynomials through the values of a function that nobody has written down."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from resnas.graph.variables import Window
from resnas.polynomial import Polynomial

Point = Mapping[int, int]
"""The value of every variable that is not left to follow from others."""

Sample = Callable[[Point], Sequence[int]]
"""The values of some functions at a point."""

MOST = 81
"""Values that are asked for at most: four variables squared, six that are not."""


class NoPolynomial(Exception):
    """A function is no polynomial with integer coefficients, or one of too many variables."""


@dataclass(frozen=True)
class Ground:
    """The sizes that functions depend on.

    Attributes:
        human: of every variable, the value about which functions are sampled.
        near: polynomials that they may well be.
        widths: what windows and patches may be wide.
        values: all variables of the program at a point.
        window: the variable behind a window over a size.
    """

    human: Point
    near: Sequence[Polynomial]
    widths: Sequence[int]
    values: Callable[[Point], Sequence[int]]
    window: Callable[[Window], Polynomial]


def through(sample: Sample, ground: Ground) -> list[Polynomial]:
    """The polynomials that some functions of sizes are.

    Tried one after the other: constants, the polynomials at hand, multilinear ones, those of degree
    2 a variable, and these of the positions of windows over the sizes: side by side, the last one
    whole or not, or a pixel apart. What is found has to hold at points where no variable equals
    another.

    Raises:
        NoPolynomial: one of the functions is something else.
    """
    asked: dict[tuple[int, ...], Sequence[int]] = {}

    def once(point: Point) -> Sequence[int]:
        key = tuple(point[v] for v in ground.human)
        if key not in asked:
            asked[key] = sample(point)
        return asked[key]

    tests = _tests(ground.human)
    wanted = list(zip(*map(once, tests), strict=True))
    known = _at_hand(wanted, ground.near, [ground.values(point) for point in tests])
    for over in (None, *(slide for width in ground.widths for slide in _slides(width))):
        for degree in (1, 2):
            if len(known) == len(wanted):
                return [known[index] for index in range(len(known))]
            if (degree + 1) ** len(ground.human) > MOST:
                break
            found = _on_grid(once, ground.human, degree, over)
            for index in found.keys() - known.keys():
                named = _behind(found[index], over, ground)
                if tuple(named.value(ground.values(point)) for point in tests) == wanted[index]:
                    known[index] = named
    if len(known) < len(wanted):
        raise NoPolynomial
    return [known[index] for index in range(len(known))]


def _tests(human: Point) -> list[dict[int, int]]:
    """Three points of larger sizes and one of smaller ones, with nothing in common.

    Two lie side by side: no size is a multiple of anything at both.
    """
    draw = random.Random(0)
    first, far = ({v: at + draw.randrange(1, 90) for v, at in human.items()} for _ in range(2))
    beside = {v: at + 1 for v, at in first.items()}
    small = {v: max(min(2, at), at - draw.randrange(1, 4)) for v, at in human.items()}
    return [first, beside, far, small]


def _at_hand(
    wanted: Sequence[tuple[int, ...]], near: Sequence[Polynomial], values: Sequence[Sequence[int]]
) -> dict[int, Polynomial]:
    """Functions that are constant, or a multiple of one of the polynomials at hand."""
    known: dict[int, Polynomial] = {}
    points = {tuple(dim.value(at) for at in values): dim for dim in reversed(near)}
    for index, found in enumerate(wanted):
        if len(set(found)) == 1:
            known[index] = Polynomial.of(found[0])
        elif found in points:
            known[index] = points[found]
        else:
            multiple = next((dim for at, dim in points.items() if _divides(at, found)), None)
            if multiple is not None:
                known[index] = multiple * (found[0] // multiple.value(values[0]))
    return known


def _divides(one: Sequence[int], other: Sequence[int]) -> bool:
    """Whether `other` is `one` times a whole number."""
    whole = one[0] > 0 and other[0] % one[0] == 0
    return whole and all(n * one[0] == m * other[0] for m, n in zip(one, other, strict=True))


Slide = Callable[[Polynomial], Window]


def _slides(width: int) -> tuple[Slide, ...]:
    """Windows of a width: side by side (the last one may be cut off), and a pixel apart."""
    return (
        lambda size: Window(size, 0, 1, width),
        lambda size: Window(size, 0, width, width),
        lambda size: Window(size, 0, width, 1, least=1),
    )


def _behind(found: Polynomial, over: Slide | None, ground: Ground) -> Polynomial:
    """`found` with every variable replaced by that behind a window over it."""
    if over is None:
        return found
    result = Polynomial({})
    for key, factor in found.terms.items():
        term = Polynomial.of(factor)
        for variable in key:
            term = term * ground.window(over(Polynomial.variable(variable)))
        result = result + term
    return result


def _on_grid(
    sample: Sample, human: Point, degree: int, over: Slide | None
) -> dict[int, Polynomial]:
    """Lagrange's polynomials by index, where all coefficients are integers: in the sizes, or in
    the positions of the windows over them.
    """
    slide = None if over is None else over(Polynomial({}))  # of any size
    starts = [at if slide is None else max(1, slide.value(at)) for at in human.values()]
    nodes = [[at + 2 * i + 3 * k for k in range(degree + 1)] for i, at in enumerate(starts)]
    bases = [[_lagrange(points, k) for k in range(degree + 1)] for points in nodes]
    terms: list[dict[tuple[int, ...], Fraction]] = []
    for chosen in itertools.product(range(degree + 1), repeat=len(human)):
        at = {v: points[k] for v, points, k in zip(human, nodes, chosen, strict=True)}
        values = sample(at if slide is None else {v: slide.needs(n) for v, n in at.items()})
        terms = terms or [{} for _ in values]
        weights = [basis[k] for basis, k in zip(bases, chosen, strict=True)]
        for powers in itertools.product(range(degree + 1), repeat=len(human)):
            weight = math.prod(w[p] for w, p in zip(weights, powers, strict=True))
            if weight == 0:
                continue
            key = tuple(v for v, p in zip(human, powers, strict=True) for _ in range(p))
            for known, value in zip(terms, values, strict=True):
                known[key] = known.get(key, Fraction(0)) + weight * value
    return {
        index: Polynomial({tuple(sorted(key)): int(f) for key, f in known.items()})
        for index, known in enumerate(terms)
        if all(f.denominator == 1 for f in known.values())
    }


def _lagrange(points: Sequence[int], at: int) -> list[Fraction]:
    """Coefficients, lowest first, of what is 1 at `points[at]` and 0 at the other points."""
    coefficients = [Fraction(1)]
    for other, point in enumerate(points):
        if other == at:
            continue
        scale = Fraction(1, points[at] - point)
        lower = [c * -point * scale for c in coefficients] + [Fraction(0)]
        upper = [Fraction(0)] + [c * scale for c in coefficients]
        coefficients = [a + b for a, b in zip(lower, upper, strict=True)]
    return coefficients
