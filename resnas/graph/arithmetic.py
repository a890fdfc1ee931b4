"""Numbers that a network computes from the sizes of its maps."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import torch
from torch import fx

from resnas.graph.sizes import Propagation
from resnas.polynomial import Polynomial


def arithmetic(p: Propagation, node: fx.Node, operands: Sequence[Any]) -> Any:
    """A number computed from sizes, where that is a polynomial; x // n and x % n make a window."""
    if not all(isinstance(operand, (int, Polynomial)) for operand in operands):
        return NotImplemented
    one, *rest = (Polynomial.of(operand) for operand in operands)
    result = None
    if node.target is operator.neg:
        result = one * -1
    elif node.target in {operator.add, torch.add, operator.iadd}:
        result = one + rest[0]
    elif node.target in {operator.sub, torch.sub}:
        result = one + rest[0] * -1
    elif node.target in {operator.mul, torch.mul, operator.imul}:
        result = one * rest[0]
    elif node.target is operator.floordiv:
        result = _quotient(p, one, rest[0])
    elif node.target is operator.mod:
        whole = _quotient(p, one, rest[0])
        result = None if whole is None else one + whole * rest[0] * -1
    if result is None:
        return NotImplemented
    return result if result.variables() else result.value([])


def _quotient(p: Propagation, one: Polynomial, other: Polynomial) -> Polynomial | None:
    """one // other for a number `other`: a polynomial where all divides, else the part that does
    and the variable behind a window over the rest.
    """
    divisor = other.terms.get((), 0)
    if other.variables() or divisor < 1:
        return None
    whole = Polynomial({key: factor // divisor for key, factor in one.terms.items()})
    rest = one + whole * divisor * -1
    if not rest.variables():
        return whole  # less than the divisor is left
    linear = all(len(key) <= 1 for key in rest.terms)
    return whole + p.program.divided(rest, divisor, up=False) if linear else None
