"""EfficientNet-B0 (Tan & Le 2019): inverted residuals with squeeze and excitation."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from torch import Tensor, nn

from search_spaces._layers import conv_norm, initialise, is_small
from search_spaces._recipe import Recipe

RECIPE = Recipe(
    lr=0.1, weight_decay=4e-5, about="EfficientNet-B0; resized by strided depthwise convolutions"
)

STEM, LAST = 32, 1280
SQUEEZED = 4
"""A block's input channels over those that its excitation passes through."""


@dataclass(frozen=True)
class Stage:
    """`depth` blocks of equal width; only the first one may stride."""

    expansion: int
    kernel_size: int
    width: int
    depth: int
    stride: int


class SqueezeExcite(nn.Module):
    """`x` times a gate a channel, computed from the means of all channels (Hu et al. 2018)."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            OrderedDict(
                pool=nn.AdaptiveAvgPool2d(1),
                reduce=nn.Conv2d(channels, squeezed, 1),
                act=nn.SiLU(inplace=True),
                expand=nn.Conv2d(squeezed, channels, 1),
                sigmoid=nn.Sigmoid(),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """`x` (N, channels, H, W), gated."""
        out: Tensor = x * self.gate(x)
        return out


class MBConv(nn.Module):
    """1×1 up, depthwise (strided), excitation, 1×1 down; added to the input where shapes agree."""

    def __init__(self, channels: int, stage: Stage, stride: int) -> None:
        super().__init__()
        hidden = channels * stage.expansion
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        if stage.expansion > 1:
            layers["expand"] = _conv_norm_act(channels, hidden, 1)
        layers["depthwise"] = _conv_norm_act(
            hidden, hidden, stage.kernel_size, stride, groups=hidden
        )
        layers["excite"] = SqueezeExcite(hidden, channels // SQUEEZED)
        layers["project"] = nn.Sequential(conv_norm(hidden, stage.width, 1))
        self.body = nn.Sequential(layers)
        self.residual = stride == 1 and channels == stage.width

    def forward(self, x: Tensor) -> Tensor:
        """`x` (N, channels, H, W) to (N, width, H', W')."""
        out: Tensor = self.body(x)
        return x + out if self.residual else out


def build(num_classes: int, input_size: tuple[int, int, int]) -> nn.Module:
    """EfficientNet-B0 without stochastic depth: 224-112-56-28-14-7.

    In the CIFAR form the stem and the second stage keep the map, 32-16-8-4.
    """
    first = 1 if is_small(input_size) else 2
    stages = (
        Stage(expansion=1, kernel_size=3, width=16, depth=1, stride=1),
        Stage(expansion=6, kernel_size=3, width=24, depth=2, stride=first),
        Stage(expansion=6, kernel_size=5, width=40, depth=2, stride=2),
        Stage(expansion=6, kernel_size=3, width=80, depth=3, stride=2),
        Stage(expansion=6, kernel_size=5, width=112, depth=3, stride=1),
        Stage(expansion=6, kernel_size=5, width=192, depth=4, stride=2),
        Stage(expansion=6, kernel_size=3, width=320, depth=1, stride=1),
    )
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["stem"] = _conv_norm_act(input_size[0], STEM, 3, first)
    channels = STEM
    for number, stage in enumerate(stages, start=1):
        blocks: list[nn.Module] = []
        for index in range(stage.depth):
            blocks.append(MBConv(channels, stage, stage.stride if index == 0 else 1))
            channels = stage.width
        layers[f"stage{number}"] = nn.Sequential(*blocks)
    layers["last"] = _conv_norm_act(channels, LAST, 1)
    layers["head"] = nn.Sequential(
        OrderedDict(
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(1),
            drop=nn.Dropout(0.2),
            fc=nn.Linear(LAST, num_classes),
        )
    )
    model = nn.Sequential(layers)
    initialise(model)
    return model


def _conv_norm_act(
    channels: int, width: int, kernel_size: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    pair = conv_norm(channels, width, kernel_size, stride, groups)
    return nn.Sequential(OrderedDict(**pair, act=nn.SiLU(inplace=True)))
