"""MobileNetV2 (Sandler et al. 2018): inverted residuals with linear bottlenecks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from search_spaces._layers import conv_norm, head, initialise


@dataclass(frozen=True)
class Stage:
    """`depth` inverted residuals of equal width; only the first one may stride."""

    expansion: int
    width: int
    depth: int
    stride: int


class _Residual(nn.Module):
    """`x + body(x)`."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.body(x)
        return out


def mobilenet(
    in_channels: int,
    num_classes: int,
    stages: Sequence[Stage],
    *,
    stem: int,
    stem_stride: int,
    last: int,
) -> nn.Sequential:
    """A 3×3 stem, inverted residuals, a last 1×1 convolution of `last` channels, the head."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["stem"] = _conv_norm_act(in_channels, stem, 3, stem_stride)
    channels = stem
    for number, stage in enumerate(stages, start=1):
        blocks: list[nn.Module] = []
        for index in range(stage.depth):
            stride = stage.stride if index == 0 else 1
            blocks.append(_inverted_residual(channels, stage, stride))
            channels = stage.width
        layers[f"stage{number}"] = nn.Sequential(*blocks)
    layers["last"] = _conv_norm_act(channels, last, 1)
    layers["head"] = head(last, num_classes)
    model = nn.Sequential(layers)
    initialise(model)
    return model


def _inverted_residual(channels: int, stage: Stage, stride: int) -> nn.Module:
    """1×1 up, 3×3 depthwise (strided), 1×1 down without activation."""
    hidden = channels * stage.expansion
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    if stage.expansion > 1:
        layers["expand"] = _conv_norm_act(channels, hidden, 1)
    layers["depthwise"] = _conv_norm_act(hidden, hidden, 3, stride, groups=hidden)
    layers["project"] = nn.Sequential(conv_norm(hidden, stage.width, 1))
    body = nn.Sequential(layers)
    return _Residual(body) if stride == 1 and channels == stage.width else body


def _conv_norm_act(
    channels: int, width: int, kernel_size: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    pair = conv_norm(channels, width, kernel_size, stride, groups)
    return nn.Sequential(OrderedDict(**pair, act=nn.ReLU6(inplace=True)))
