"""Exact polynomials in the sizes of feature maps.

A shape is a tuple whose entries are integers where they cannot change and polynomials where they
depend on a learned size, so that a cost rule reads the same for both:

>>> h, w = Polynomial.variable(0), Polynomial.variable(1)
>>> macs = 64 * 3 * 9 * h * w
>>> macs.terms
{(0, 1): 1728}
>>> macs.value([32, 16])
884736
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import torch
from torch import Tensor


class Polynomial:
    """A sum of monomials: `terms[(i, j, ...)] * v[i] * v[j] * ...`, immutable.

    Variables are known by their index; the empty tuple holds the constant. Coefficients are
    integers, so a value at integer sizes is exact.
    """

    __slots__ = ("terms",)

    def __init__(self, terms: Mapping[tuple[int, ...], int]) -> None:
        self.terms = {key: factor for key, factor in terms.items() if factor}

    @classmethod
    def variable(cls, index: int) -> Polynomial:
        """The polynomial that is one variable."""
        return cls({(index,): 1})

    @classmethod
    def of(cls, dim: Dim) -> Polynomial:
        """An integer or a polynomial, as a polynomial."""
        return dim if isinstance(dim, Polynomial) else cls({(): dim})

    def __add__(self, other: Dim) -> Polynomial:
        terms = dict(self.terms)
        for key, factor in Polynomial.of(other).terms.items():
            terms[key] = terms.get(key, 0) + factor
        return Polynomial(terms)

    def __mul__(self, other: Dim) -> Polynomial:
        terms: dict[tuple[int, ...], int] = {}
        for key, factor in self.terms.items():
            for key_other, factor_other in Polynomial.of(other).terms.items():
                product = tuple(sorted(key + key_other))
                terms[product] = terms.get(product, 0) + factor * factor_other
        return Polynomial(terms)

    __radd__ = __add__
    __rmul__ = __mul__

    def __eq__(self, other: object) -> bool:
        if isinstance(other, int):
            other = Polynomial.of(other)
        return isinstance(other, Polynomial) and self.terms == other.terms

    def __hash__(self) -> int:
        return hash(frozenset(self.terms.items()))

    def __repr__(self) -> str:
        monomials = ("*".join([str(f), *(f"v{i}" for i in key)]) for key, f in self.terms.items())
        return " + ".join(monomials) or "0"

    def value(self, values: Sequence[int]) -> int:
        """The exact value at integer `values` of the variables."""
        return sum(f * math.prod(values[i] for i in key) for key, f in self.terms.items())

    def at(self, sizes: Tensor) -> Tensor:
        """The value at `sizes`, differentiable in them; exact below 2**53 at whole ones.

        Args:
            sizes: of all variables, (n,) float64.

        Returns:
            0-dim float64.
        """
        factors = sizes.new_tensor(list(self.terms.values()))
        degree = max(map(len, self.terms), default=0)
        if degree == 0:
            return factors.sum()
        ones = len(sizes)  # index of a variable that is 1, to pad shorter monomials
        index = [[*key, *[ones] * (degree - len(key))] for key in self.terms]
        values = torch.cat((sizes, sizes.new_ones(1)))
        return (values[torch.tensor(index)].prod(dim=1) * factors).sum()

    def variables(self) -> set[int]:
        """Indices of the variables that occur."""
        return {index for key in self.terms for index in key}


Dim: TypeAlias = "int | Polynomial"
"""One entry of a shape."""

Shape = tuple[Dim, ...]


def product(dims: Sequence[Dim]) -> Dim:
    """The product of the entries of a shape; 1 for an empty one."""
    result: Dim = 1
    for dim in dims:
        result = dim * result
    return result
