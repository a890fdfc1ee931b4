"""Three basic blocks, each of which halves the map (32-16-8-4); 11 MMACs at 32 pixels."""

from __future__ import annotations

from torch import nn

from search_spaces._recipe import Recipe
from search_spaces._resnet import BasicBlock, resnet

RECIPE = Recipe(lr=0.05, weight_decay=5e-4, about="a ResNet of three blocks, for small images")


def build(num_classes: int, input_size: tuple[int, int, int]) -> nn.Module:
    """A small ResNet."""
    return resnet(input_size, num_classes, BasicBlock, (32, 64, 128), (1, 1, 1), stem=16)
