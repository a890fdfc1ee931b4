"""Integer polynomials through the values of a function that nobody has written down."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from resnas.polynomial import Polynomial

Sample = Callable[[Mapping[int, int]], Sequence[int]]
"""The values of some functions at one value a variable."""

MOST = 81
"""Values that are asked for at most: four variables squared, six that are not."""


Windows = Callable[[int, int, bool], Polynomial]
"""The variable that is another one divided by a number, rounded up or down."""


class NoPolynomial(Exception):
    """A function is no polynomial with integer coefficients, or one of too many variables."""


def through(
    sample: Sample, human: Mapping[int, int], divisors: Sequence[int], window: Windows
) -> list[Polynomial]:
    """The polynomials that some functions of sizes are.

    Multilinear ones are tried before those of degree 2 a variable, those of the sizes before those
    of sizes divided by what windows and patches may be wide, rounded up or down. What is found has
    to hold at further points as well, smaller and larger ones, where no variable equals another.

    Args:
        sample: the functions.
        human: of every variable, the value about which it is sampled.
        divisors: widths of windows to try.
        window: gives the variable that is a size divided by a number, rounded up or down.

    Raises:
        NoPolynomial: one of them is something else.
    """
    tests = [{v: at + 7 + 4 * i for i, (v, at) in enumerate(human.items())}]
    tests.append({v: at + 20 + 3 * i for i, (v, at) in enumerate(human.items())})
    tests.append({v: max(1, at - 1 - i % 2) for i, (v, at) in enumerate(human.items())})
    expected = [list(sample(point)) for point in tests]
    known: dict[int, Polynomial] = {}
    for divisor, up in ((1, True), *itertools.product(divisors, (True, False))):
        divided = {v: max(1, -(-at // divisor)) for v, at in human.items()}
        for degree in (1, 2):
            if len(known) == len(expected[0]):
                return [known[index] for index in range(len(known))]
            if (degree + 1) ** len(human) > MOST:
                break
            found = _product(_stretched(sample, divisor), divided, degree)
            at = [_values(found, _divided(point, divisor, up)) for point in tests]
            for index, polynomial in found.items():
                if index not in known and all(
                    values[index] == wanted[index]
                    for values, wanted in zip(at, expected, strict=True)
                ):
                    known[index] = _named(polynomial, divisor, up, window)
    if len(known) < len(expected[0]):
        raise NoPolynomial
    return [known[index] for index in range(len(known))]


def _stretched(sample: Sample, divisor: int) -> Sample:
    return lambda point: sample({v: divisor * at for v, at in point.items()})


def _divided(point: Mapping[int, int], divisor: int, up: bool) -> dict[int, int]:
    return {v: -(-at // divisor) if up else at // divisor for v, at in point.items()}


def _named(found: Polynomial, divisor: int, up: bool, window: Windows) -> Polynomial:
    """`found` in the variables of the windows."""
    if divisor == 1:
        return found
    result = Polynomial({})
    for key, factor in found.terms.items():
        term = Polynomial.of(factor)
        for variable in key:
            term = term * window(variable, divisor, up)
        result = result + term
    return result


def _product(sample: Sample, human: Mapping[int, int], degree: int) -> dict[int, Polynomial]:
    """Lagrange's polynomials on a grid, by index, where all coefficients are integers."""
    nodes = [[at + 2 * i + 3 * k for k in range(degree + 1)] for i, at in enumerate(human.values())]
    bases = [[_lagrange(points, k) for k in range(degree + 1)] for points in nodes]
    terms: list[dict[tuple[int, ...], Fraction]] = []
    for chosen in itertools.product(range(degree + 1), repeat=len(human)):
        point = {v: points[k] for v, points, k in zip(human, nodes, chosen, strict=True)}
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


def _values(polynomials: Mapping[int, Polynomial], point: Mapping[int, int]) -> dict[int, int]:
    values = [0] * (max(point, default=-1) + 1)
    for variable, value in point.items():
        values[variable] = value
    return {index: polynomial.value(values) for index, polynomial in polynomials.items()}
