"""ResNet (He et al. 2016), post-activation; the bottleneck strides in its 3×3 ("v1.5")."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import ClassVar, TypeAlias

from torch import Tensor, nn

from search_spaces._layers import conv_norm, head, initialise, is_small


class _Block(nn.Module):
    """`relu(body(x) + shortcut(x))`; the shortcut is a strided 1×1 where the shapes differ."""

    def __init__(self, body: nn.Module, channels: int, width: int, stride: int) -> None:
        super().__init__()
        same = stride == 1 and channels == width
        self.body = body
        self.shortcut: nn.Module = (
            nn.Identity() if same else nn.Sequential(conv_norm(channels, width, 1, stride))
        )
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.act(self.body(x) + self.shortcut(x))
        return out


class BasicBlock(_Block):
    """Two 3×3 convolutions, the first one strided."""

    expansion: ClassVar[int] = 1

    def __init__(self, channels: int, planes: int, stride: int) -> None:
        first = conv_norm(channels, planes, 3, stride)
        second = conv_norm(planes, planes, 3)
        super().__init__(_body([first, second]), channels, planes, stride)


class Bottleneck(_Block):
    """1×1 down to `planes`, strided 3×3, 1×1 up to four times as many."""

    expansion: ClassVar[int] = 4

    def __init__(self, channels: int, planes: int, stride: int) -> None:
        width = planes * self.expansion
        down = conv_norm(channels, planes, 1)
        spatial = conv_norm(planes, planes, 3, stride)
        up = conv_norm(planes, width, 1)
        super().__init__(_body([down, spatial, up]), channels, width, stride)


BlockKind: TypeAlias = type[BasicBlock] | type[Bottleneck]


def _body(pairs: Sequence[OrderedDict[str, nn.Module]]) -> nn.Sequential:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for number, pair in enumerate(pairs, start=1):
        if layers:
            layers[f"act{number - 1}"] = nn.ReLU(inplace=True)
        layers |= {f"{name}{number}": layer for name, layer in pair.items()}
    return nn.Sequential(layers)


def resnet(
    input_size: tuple[int, int, int],
    num_classes: int,
    block: BlockKind,
    planes: Sequence[int],
    depths: Sequence[int],
    strides: Sequence[int],
    *,
    stem: int = 64,
) -> nn.Sequential:
    """A stem and stages of blocks.

    Args:
        input_size: (C, H, W); decides between the CIFAR stem (3×3, stride 1) and the ImageNet
            stem (7×7, stride 2, then a 3×3 max pool of stride 2).
        num_classes: width of the output.
        block: `BasicBlock` or `Bottleneck`.
        planes: inner width of the blocks, by stage.
        depths: number of blocks, by stage.
        strides: of the first block of each stage.
        stem: channels behind the stem.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict(stem=_stem(input_size, stem))
    channels = stem
    stages = zip(planes, depths, strides, strict=True)
    for number, (width, depth, stride) in enumerate(stages, start=1):
        blocks: list[nn.Module] = []
        for index in range(depth):
            blocks.append(block(channels, width, stride if index == 0 else 1))
            channels = width * block.expansion
        layers[f"stage{number}"] = nn.Sequential(*blocks)
    model = nn.Sequential(OrderedDict(**layers, head=head(channels, num_classes)))
    initialise(model)
    return model


def _stem(input_size: tuple[int, int, int], width: int) -> nn.Sequential:
    if is_small(input_size):
        return nn.Sequential(
            OrderedDict(**conv_norm(input_size[0], width, 3), act=nn.ReLU(inplace=True))
        )
    return nn.Sequential(
        OrderedDict(
            **conv_norm(input_size[0], width, 7, stride=2),
            act=nn.ReLU(inplace=True),
            pool=nn.MaxPool2d(3, stride=2, padding=1),
        )
    )
