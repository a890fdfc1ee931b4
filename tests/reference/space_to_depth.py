"""Space to depth, pixel by pixel (Sunkara & Luo 2022, section 3.1).

The map is cut into `block`² maps, each of every `block`-th pixel, which are laid behind one another
along the channels: first all channels of the pixels at row offset 0 and column offset 0, then those
at row offset 1, and so on until the rows are through; then the next column offset.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def fold(x: Array, block: int) -> Array:
    """(N, C, H, W) to (N, block² C, H / block, W / block)."""
    samples, channels, height, width = x.shape
    out = np.zeros((samples, block**2 * channels, height // block, width // block))
    for here, there in _pairs(x.shape, block):
        out[there] = x[here]
    return out


def fold_gradient(shape: tuple[int, ...], block: int, weight: Array) -> Array:
    """Of sum(fold(x) * weight) in x: every number has moved once, and its weight moves back."""
    gradient = np.zeros(shape)
    for here, there in _pairs(shape, block):
        gradient[here] = weight[there]
    return gradient


def _pairs(shape: tuple[int, ...], block: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Where each pixel was, and where it is."""
    samples, channels, height, width = shape
    offsets = [(row, column) for column in range(block) for row in range(block)]
    for n in range(samples):
        for b, (row, column) in enumerate(offsets):
            for c in range(channels):
                for i in range(height // block):
                    for j in range(width // block):
                        here = (n, c, i * block + row, j * block + column)
                        yield here, (n, b * channels + c, i, j)
