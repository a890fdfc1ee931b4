"""MobileNetV2: 32-16-8-4 at CIFAR size, 224-112-56-28-14-7 at 224."""

from __future__ import annotations

from torch import nn

from search_spaces._layers import is_small
from search_spaces._mobilenet import Stage, mobilenet
from search_spaces._recipe import Recipe

RECIPE = Recipe(
    lr=0.1, weight_decay=4e-5, about="MobileNetV2; resized by strided depthwise convolutions"
)


def build(num_classes: int, input_size: tuple[int, int, int]) -> nn.Module:
    """MobileNetV2; in the CIFAR form the stem and the second stage keep the map."""
    stride = 1 if is_small(input_size) else 2
    stages = (
        Stage(expansion=1, width=16, depth=1, stride=1),
        Stage(expansion=6, width=24, depth=2, stride=stride),
        Stage(expansion=6, width=32, depth=3, stride=2),
        Stage(expansion=6, width=64, depth=4, stride=2),
        Stage(expansion=6, width=96, depth=3, stride=1),
        Stage(expansion=6, width=160, depth=3, stride=2),
        Stage(expansion=6, width=320, depth=1, stride=1),
    )
    return mobilenet(input_size[0], num_classes, stages, stem=32, stem_stride=stride, last=1280)
