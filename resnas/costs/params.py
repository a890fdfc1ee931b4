"""Parameters of a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

from torch import Tensor, nn

from resnas.costs._base import AbstractCost, Operation, Reach
from resnas.polynomial import Polynomial
from resnas.resizers._base import AbstractResizer


@final
class Params(AbstractCost):
    """Trainable numbers of the frozen network; shared ones count once, strides do not count."""

    unit: ClassVar = "parameters"
    counter: ClassVar = "resnas.params/1"

    def total(self, operations: Sequence[Operation], reach: Reach = ()) -> Polynomial:
        """Sum over the distinct parameters that the operations use."""
        del reach
        found: dict[int, int] = {}
        for operation in operations:
            target = operation.target
            if isinstance(target, nn.Module) and not isinstance(target, AbstractResizer):
                found.update({id(p): p.numel() for p in target.parameters()})
            elif isinstance(target, nn.Parameter):
                found[id(target)] = target.numel()
            elif isinstance(target, Tensor):
                continue
        return Polynomial.of(sum(found.values()))
