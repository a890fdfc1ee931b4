"""What nodes are while sizes are followed through a graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from resnas.polynomial import Polynomial, Shape


@dataclass(frozen=True)
class Map:
    """A tensor in the propagation: its shape."""

    shape: Shape


def variables(value: Any) -> set[int]:
    """The variables that a value depends on."""
    if isinstance(value, Map):
        value = value.shape
    if isinstance(value, Polynomial):
        return value.variables()
    if isinstance(value, (tuple, list)):
        return set().union(*map(variables, value))
    if isinstance(value, slice):
        return variables((value.start, value.stop, value.step))
    return set()


def traced(value: Any, dtypes: Any) -> Any:
    """A value as it was traced: shapes of tensors become maps, everything else stays.

    Args:
        value: `node.meta["value"]`.
        dtypes: the types of the tensors in it, `node.meta["dtype"]`; where there is none, a shape
            is that of a tensor.
    """
    if isinstance(value, torch.Size):
        shape = tuple(int(dim) for dim in value)
        return Map(shape) if isinstance(dtypes, torch.dtype) else shape
    if isinstance(value, (tuple, list)):
        inner = dtypes if isinstance(dtypes, (tuple, list)) else [dtypes] * len(value)
        return type(value)(traced(v, d) for v, d in zip(value, inner, strict=True))
    return value
