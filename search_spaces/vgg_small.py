"""Four convolutions with max pools between them (32-16-8-4), about 10 MMACs at 32 pixels."""

from __future__ import annotations

from torch import nn

from search_spaces._recipe import Recipe
from search_spaces._vgg import vgg

RECIPE = Recipe(lr=0.1, weight_decay=5e-4, about="a VGG of four convolutions, for small images")

STAGES = ((32,), (64,), (96,), (128,))


def build(num_classes: int, input_size: tuple[int, int, int]) -> nn.Module:
    """A small VGG; the same at every input size."""
    return vgg(input_size[0], num_classes, STAGES, last_pool=False)
