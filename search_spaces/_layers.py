"""What the backbones share: convolution with batch norm, the head, the start of the weights."""

from __future__ import annotations

import math
from collections import OrderedDict

from torch import nn

SMALL_IMAGE = 64
"""Pixels on the shorter side, up to which a backbone takes its CIFAR form; above, its 224 form."""


def is_small(input_size: tuple[int, int, int]) -> bool:
    """Whether images of (C, H, W) want the CIFAR form of a backbone."""
    return min(input_size[1:]) <= SMALL_IMAGE


def conv_norm(
    in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, groups: int = 1
) -> OrderedDict[str, nn.Module]:
    """A convolution without bias, padded to keep the size at stride 1, and its batch norm."""
    conv = nn.Conv2d(
        in_channels,
        out_channels,
        kernel_size,
        stride=stride,
        padding=kernel_size // 2,
        groups=groups,
        bias=False,
    )
    return OrderedDict(conv=conv, norm=nn.BatchNorm2d(out_channels))


def head(channels: int, num_classes: int) -> nn.Sequential:
    """Global average pool and one linear layer: (N, C, H, W) to (N, num_classes)."""
    return nn.Sequential(
        OrderedDict(
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(1),
            fc=nn.Linear(channels, num_classes),
        )
    )


def initialise(model: nn.Module) -> None:
    """Start all weights as He et al. 2015 (fan out); norms at one, biases at zero.

    torch's own `kaiming_normal_` does not know groups: it would start a depthwise convolution of C
    channels sqrt(C) times too small.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.out_channels * math.prod(module.kernel_size) // module.groups
            nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.01)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
        if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d) and module.bias is not None:
            nn.init.zeros_(module.bias)
