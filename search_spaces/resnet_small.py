"""Three basic blocks, each of which halves the map (32-16-8-4); 11 MMACs at 32 pixels."""

from __future__ import annotations

from torch import nn

from search_spaces._recipe import Recipe
from search_spaces._resnet import BasicBlock, resnet

RECIPE = Recipe(lr=0.1, weight_decay=5e-4, about="a ResNet of three blocks, for small images")

PLANES = (32, 64, 128)
DEPTHS = (1, 1, 1)
STRIDES = (2, 2, 2)


def build(num_classes: int, input_size: tuple[int, int, int]) -> nn.Module:
    """A small ResNet."""
    return resnet(input_size, num_classes, BasicBlock, PLANES, DEPTHS, STRIDES, stem=16)
