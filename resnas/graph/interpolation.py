"""Integer polynomials through the values of a function that nobody has written down."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

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
        divisors: what windows and patches may be wide.
        values: all variables of the program at a point.
        divided: the variable that is a size divided by a number, rounded up or down.
    """

    human: Point
    near: Sequence[Polynomial]
    divisors: Sequence[int]
    values: Callable[[Point], Sequence[int]]
    divided: Callable[[Polynomial, int, bool], Polynomial]


def through(sample: Sample, ground: Ground) -> list[Polynomial]:
    """The polynomials that some functions of sizes are.

    Tried one after the other: constants, the polynomials at hand, multilinear ones, those of degree
    2 a variable, and these of sizes divided by what windows may be wide, rounded up or down. What
    is found has to hold at points where no variable equals another.

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
    for divisor, up in ((1, True), *itertools.product(ground.divisors, (True, False))):
        for degree in (1, 2):
            if len(known) == len(wanted):
                return [known[index] for index in range(len(known))]
            if (degree + 1) ** len(ground.human) > MOST:
                break
            found = _on_grid(once, ground.human, degree, divisor)
            for index in found.keys() - known.keys():
                named = _divided(found[index], divisor, up, ground)
                if tuple(named.value(ground.values(point)) for point in tests) == wanted[index]:
                    known[index] = named
    if len(known) < len(wanted):
        raise NoPolynomial
    return [known[index] for index in range(len(known))]


def _tests(human: Point) -> list[dict[int, int]]:
    """Three points of larger sizes and one of smaller ones, with nothing in common."""
    draw = random.Random(0)
    larger = [{v: at + draw.randrange(1, 90) for v, at in human.items()} for _ in range(3)]
    return [*larger, {v: max(min(2, at), at - draw.randrange(1, 4)) for v, at in human.items()}]


def _at_hand(
    wanted: Sequence[tuple[int, ...]], near: Sequence[Polynomial], values: Sequence[Sequence[int]]
) -> dict[int, Polynomial]:
    """Functions that are constant, or one of the polynomials at hand."""
    shapes = {tuple(dim.value(at) for at in values): dim for dim in reversed(near)}
    known = {i: shapes[at] for i, at in enumerate(wanted) if at in shapes}
    constant = {i: Polynomial.of(at[0]) for i, at in enumerate(wanted) if len(set(at)) == 1}
    return {**known, **constant}


def _divided(found: Polynomial, divisor: int, up: bool, ground: Ground) -> Polynomial:
    """`found` with every variable divided."""
    if divisor == 1:
        return found
    result = Polynomial({})
    for key, factor in found.terms.items():
        term = Polynomial.of(factor)
        for variable in key:
            term = term * ground.divided(Polynomial.variable(variable), divisor, up)
        result = result + term
    return result


def _on_grid(sample: Sample, human: Point, degree: int, divisor: int) -> dict[int, Polynomial]:
    """Lagrange's polynomials in sizes / `divisor` by index, where all coefficients are integers."""
    starts = [max(1, -(-at // divisor)) for at in human.values()]
    nodes = [[at + 2 * i + 3 * k for k in range(degree + 1)] for i, at in enumerate(starts)]
    bases = [[_lagrange(points, k) for k in range(degree + 1)] for points in nodes]
    terms: list[dict[tuple[int, ...], Fraction]] = []
    for chosen in itertools.product(range(degree + 1), repeat=len(human)):
        point = {v: n[k] * divisor for v, n, k in zip(human, nodes, chosen, strict=True)}
        values = sample(point)
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
