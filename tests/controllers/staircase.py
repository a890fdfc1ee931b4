"""A cost in steps: a map's pixels, rounded up to whole tiles of 32, as an accelerator has it."""

from __future__ import annotations

from typing import final

import torch

from resnas.costs._base import AbstractCost
from resnas.polynomial import Polynomial

TILE = 32


class _Tiles:
    """The tiles of all maps that can change."""

    def __init__(self, areas):
        self._areas = areas

    def value(self, values):
        return sum(-(-area.value(values) // TILE) for area in self._areas)

    def at(self, sizes):
        whole = self.value([round(size) for size in sizes.tolist()])
        return torch.tensor(float(whole), dtype=torch.float64)


@final
class Staircase(AbstractCost):
    """Tiles of every map whose size can change."""

    unit = "tiles"
    counter = "tests.staircase/1"

    def total(self, operations, reach=()):
        del reach
        shapes = [operation.output for operation in operations if operation.output is not None]
        areas = [Polynomial.of(shape[2] * shape[3]) for shape in shapes if len(shape) == 4]
        return _Tiles([area for area in areas if area.variables()])
