"""Elements that the layers of a network put out."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import ClassVar, final

from resnas.costs._base import FREE, WORKING, AbstractCost, Operation, Reach, Rule, add_up
from resnas.polynomial import Dim, Polynomial, product
from resnas.resizers._base import AbstractResizer


def _elements(operation: Operation) -> Dim:
    assert operation.output is not None
    return product(operation.output)


_RULES: dict[object, Rule] = {**FREE, **dict.fromkeys((*WORKING, AbstractResizer), _elements)}


@final
class Activations(AbstractCost):
    """Elements put out by convolutions, linear layers, matrix products and resizers, one sample.

    As fvcore's activation count, whose idea (Radosavovic et al., "Designing Network Design
    Spaces", 2020) is that these follow the run time on memory-bound hardware; the maps that
    resizers write are counted as well.
    """

    unit: ClassVar = "elements"
    counter: ClassVar = "resnas.activations/1"

    def total(self, operations: Sequence[Operation], reach: Reach = ()) -> Polynomial:
        """Sum over all operations."""
        del reach
        return add_up(_RULES, operations, self.counter, attrgetter("elements"))
