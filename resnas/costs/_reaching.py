"""A resizer frozen at sizes of choice."""

from __future__ import annotations

import copy
import math

import torch
from torch import nn

from resnas.polynomial import Polynomial
from resnas.resizers._base import AbstractResizer, Extent


def fixed_at(
    resizer: AbstractResizer, channels: int, size_in: Extent, wanted: Extent
) -> tuple[nn.Module, float]:
    """The resizer frozen between two sizes, or as near as its strides get, and how near that is.

    Args:
        resizer: one that learns its size; left as it is.
        channels: of the map.
        size_in: (H, W) that enters.
        wanted: (H, W) that shall come out.

    Returns:
        The frozen layer, and the work at the wanted size over the work that it does: pixels read
        and written and multiply-accumulates.
    """
    free = copy.deepcopy(resizer)
    free.stride = nn.Parameter(resizer.stride.detach().clone(), requires_grad=False)
    free.largest, free.offset = (math.inf,) * free.rank, (0,) * free.rank
    for axis in range(free.stride.numel()):
        free.stride[axis] = _stride(free, axis, size_in, wanted[axis])
    works = [
        Polynomial.of(free.macs(channels, size_in, size)).value([])
        + channels * (math.prod(size_in) + math.prod(size))
        for size in (wanted, free.hard_size(size_in))
    ]
    return free.fixed(size_in).eval(), works[0] / works[1]


def _stride(resizer: AbstractResizer, axis: int, size: Extent, wanted: int) -> float:
    """The stride of one axis that gives the size nearest to `wanted`; larger ones give less."""
    exact = size[axis] / wanted
    if _size_at(resizer, axis, size, exact) == wanted:
        return exact
    low, high = 1 / 64, 64.0 * size[axis]  # gives more; gives as much or less
    for _ in range(32):
        middle = math.sqrt(low * high)
        if _size_at(resizer, axis, size, middle) > wanted:
            low = middle
        else:
            high = middle
    off = {end: abs(_size_at(resizer, axis, size, end) - wanted) for end in (high, low)}
    return min(off, key=off.__getitem__)


@torch.no_grad()
def _size_at(resizer: AbstractResizer, axis: int, size: Extent, stride: float) -> int:
    resizer.stride[axis] = stride
    return resizer.hard_size(size)[axis]
