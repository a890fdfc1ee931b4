"""The frequencies that DiffStride's window keeps on one axis, and which weight each has.

Riad et al., Learning Strides in Convolutional Neural Networks, ICLR 2022 (arXiv 2202.01653): an
axis but the last has its complete spectrum, the last one the half that a real map needs.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from resnas.resizers._spectrum import Band, Weights


def rows(n: int, edge: float, compat: bool, crop: bool) -> Band:
    """Rows at a distance below `edge`, which of the even heights have one more behind than ahead.

    With `compat` an odd height keeps row -K, but its inverse reads it as row K - 1.
    """
    count = min(_count(edge, crop), (n + 1) // 2)
    m = 2 * count - n % 2 if crop else n
    kept = placed = tuple(range(count + 1 - n % 2))
    if n % 2 and compat:
        kept, placed = (*kept, -count), (*placed, count - 1 if crop else -count)
    return Band(n, m, kept, placed, edge=0)


def row_weights(rows: Band, window: Tensor, compat: bool) -> Weights:
    """Weights of k and -k: their sum and their difference.

    By the authors' centred order, on even heights row -k is as near as row k - 1. On odd heights
    rows k and -k are equally far; with `compat` the whole window is shifted by one row.
    """
    none = torch.zeros_like(window[:1])
    if rows.n % 2 == 0:
        ahead, behind = torch.cat([window[:-1], none]), torch.cat([none, window[:-1]])
    elif compat:
        farthest = window[-2:-1]
        ahead = torch.cat([window[1:-1], none, farthest])
        behind = torch.cat([none, window[:-2], none])
    else:
        ahead, behind = window, torch.cat([none, window[1:]])
    return Weights(ahead + behind, ahead - behind)


def columns(n: int, edge: float, crop: bool) -> Band:
    """Columns below `edge` of the half spectrum; the width that its inverse takes them for.

    The last kept column is read as the Nyquist frequency of an even width. A single column, all
    that a map one pixel wide has, is a width of 1.
    """
    most = n // 2 + 1
    count = min(_count(edge, crop), most)
    kept = tuple(range(count))
    return Band(n, max(2 * ((count if crop else most) - 1), 1), kept, kept, edge=0)


def _count(edge: float, crop: bool) -> int:
    """Whole distances below `edge`; where nothing is cropped also one at it, which still learns."""
    return math.ceil(edge) if crop else math.floor(edge) + 1


@lru_cache(maxsize=128)
def column_counts(columns: Band, device: torch.device, dtype: torch.dtype) -> Tensor:
    """How often each column of the half spectrum stands in the whole one."""
    counts = [1.0 if k == 0 or 2 * k == columns.m else 2.0 for k in columns.kept]
    with torch.inference_mode(False):
        return torch.tensor(counts, device=device, dtype=dtype)
