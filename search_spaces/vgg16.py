"""VGG-16 ("D"): 13 convolutions; four max pools at CIFAR size (32-16-8-4-2), five at 224."""

from __future__ import annotations

from torch import nn

from search_spaces._layers import is_small
from search_spaces._recipe import Recipe
from search_spaces._vgg import vgg

RECIPE = Recipe(lr=0.1, weight_decay=5e-4, about="VGG-16 with batch norm; resized by max pools")

STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


def build(num_classes: int, input_size: tuple[int, int, int]) -> nn.Module:
    """VGG-16 with batch norm, its three fully-connected layers replaced by one."""
    return vgg(input_size[0], num_classes, STAGES, last_pool=not is_small(input_size))
