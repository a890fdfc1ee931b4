"""Elements that the layers of a network put out."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import ClassVar, final

import torch
import torch.nn.functional as F
from torch import nn

from resnas.costs._base import FREE, AbstractCost, Operation, Rule, add_up
from resnas.polynomial import Dim, product
from resnas.resizers._base import AbstractResizer


def _elements(operation: Operation) -> Dim:
    assert operation.output is not None
    return product(operation.output)


_LAYERS = (
    *(nn.Upsample, "resnas.graph.enlarge.ToSize"),
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.Linear, F.conv2d, F.linear),
    *(torch.matmul, torch.bmm, operator.matmul, "matmul", F.scaled_dot_product_attention),
)
_RULES: dict[object, Rule] = {**FREE, **dict.fromkeys((*_LAYERS, AbstractResizer), _elements)}


@final
class Activations(AbstractCost):
    """Elements put out by convolutions, linear layers, matrix products and resizers, one sample.

    As fvcore's activation count, whose idea (Radosavovic et al., "Designing Network Design
    Spaces", 2020) is that these follow the run time on memory-bound hardware; the maps that
    resizers write are counted as well.
    """

    unit: ClassVar = "elements"
    counter: ClassVar = "resnas.activations/1"

    def total(self, operations: Sequence[Operation]) -> Dim:
        """Sum over all operations."""
        return add_up(_RULES, operations, self.counter)
