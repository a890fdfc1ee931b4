"""MobileNetV1 (Howard et al. 2017): depthwise and pointwise convolutions in turn."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from search_spaces._layers import conv_norm, head, initialise, is_small
from search_spaces._recipe import Recipe

RECIPE = Recipe(
    lr=0.1, weight_decay=4e-5, about="MobileNetV1; resized by strided depthwise convolutions"
)

BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2))
"""(width, stride) of the blocks; one more of width 1024 ends them."""


def build(num_classes: int, input_size: tuple[int, int, int]) -> nn.Module:
    """MobileNetV1: 224-112-56-28-14-7; in the CIFAR form the stem and the second block keep the
    map, 32-16-8-4.
    """
    small = is_small(input_size)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["stem"] = _conv_norm_act(input_size[0], 32, 3, 1 if small else 2)
    channels = 32
    for number, (width, stride) in enumerate((*BLOCKS, (1024, 1)), start=1):
        stride = 1 if small and number == 2 else stride
        layers[f"block{number}"] = nn.Sequential(
            OrderedDict(
                depthwise=_conv_norm_act(channels, channels, 3, stride, groups=channels),
                pointwise=_conv_norm_act(channels, width, 1),
            )
        )
        channels = width
    layers["head"] = head(channels, num_classes)
    model = nn.Sequential(layers)
    initialise(model)
    return model


def _conv_norm_act(
    channels: int, width: int, kernel_size: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    pair = conv_norm(channels, width, kernel_size, stride, groups)
    return nn.Sequential(OrderedDict(**pair, act=nn.ReLU(inplace=True)))
