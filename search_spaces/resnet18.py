"""ResNet-18: basic blocks; 32-16-8-4 at CIFAR size, 224-112-56-28-14-7 at 224."""

from __future__ import annotations

from torch import nn

from search_spaces._recipe import Recipe
from search_spaces._resnet import BasicBlock, resnet

RECIPE = Recipe(lr=0.1, weight_decay=5e-4, about="ResNet-18; resized by strided convolutions")

PLANES = (64, 128, 256, 512)
DEPTHS = (2, 2, 2, 2)
STRIDES = (1, 2, 2, 2)


def build(num_classes: int, input_size: tuple[int, int, int]) -> nn.Module:
    """ResNet-18; the CIFAR form has a 3×3 stem and no max pool."""
    return resnet(input_size, num_classes, BasicBlock, PLANES, DEPTHS, STRIDES)
