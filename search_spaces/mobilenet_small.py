"""Five inverted residuals, three of which halve the map (32-16-8-4); 10 MMACs at 32 pixels."""

from __future__ import annotations

from torch import nn

from search_spaces._mobilenet import Stage, mobilenet
from search_spaces._recipe import Recipe

RECIPE = Recipe(lr=0.1, weight_decay=4e-5, about="a MobileNetV2 of five blocks, for small images")

STAGES = (
    Stage(expansion=2, width=24, depth=1, stride=2),
    Stage(expansion=4, width=64, depth=2, stride=2),
    Stage(expansion=6, width=128, depth=2, stride=2),
)


def build(num_classes: int, input_size: tuple[int, int, int]) -> nn.Module:
    """A small MobileNetV2; the same at every input size."""
    return mobilenet(input_size[0], num_classes, STAGES, stem=16, stem_stride=1, last=256)
