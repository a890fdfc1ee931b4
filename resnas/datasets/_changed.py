"""Pictures of one data set changed into those of another."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from resnas.datasets._base import Images, Split, in_memory
from resnas.results import Size

Change = Callable[[Tensor, Tensor], Tensor]
"""Pictures (B, C, H, W) uint8 and their positions in the split (B,) -> changed ones, uint8."""


def changed(split: Split, change: Change) -> Split:
    """The split with every picture changed: at once where that fits in memory, else when asked."""
    return Split(in_memory(_Changed(split.images, change)), split.labels)


def scaled(images: Tensor, size: Size) -> Tensor:
    """Pictures (B, C, H, W) uint8 brought to another size, bilinear, antialiased when smaller."""
    if tuple(images.shape[2:]) == size:
        return images
    floats = interpolate(images.float(), size, mode="bilinear", antialias=True)
    return floats.round().clamp(0, 255).to(torch.uint8)


class _Changed:
    """`Images` that are changed whenever they are asked for."""

    def __init__(self, images: Images, change: Change) -> None:
        self.images = images
        self.change = change

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: Tensor) -> Tensor:
        return self.change(self.images[index], index)
