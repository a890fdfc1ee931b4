"""HRNetV2-W48 (Wang et al. 2020) for segmentation: four streams, each of half the resolution.

A stream keeps its resolution from its beginning to the end, and all of them are added to each
other again and again: its maps are one size. Parameters (65.8 M for 19 classes) and cost (696.2 ×
1024³ multiply-accumulates of its convolutions at 1024×2048 pixels) are those of the paper.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from search_spaces._layers import conv_norm, initialise
from search_spaces._recipe import Recipe
from search_spaces._resnet import BasicBlock, Bottleneck

RECIPE = Recipe(
    lr=0.01, weight_decay=5e-4, about="HRNetV2-W48; the class of every pixel", dense=True
)

WIDTHS = (48, 96, 192, 384)
STEM, PLANES, BLOCKS = 64, 64, 4
MODULES = (1, 4, 3)
"""Modules of two, three and four streams."""


class Exchange(nn.Module):
    """Every stream goes through blocks of its own; then each is the sum of all of them.

    A stream of higher resolution comes down by strided 3×3 convolutions, one of lower resolution
    is enlarged to the map that it is added to.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.streams = nn.ModuleList(
            nn.Sequential(*(BasicBlock(width, width, 1) for _ in range(BLOCKS))) for width in widths
        )
        self.fuse = nn.ModuleList(
            nn.ModuleList(_fusing(widths, source, goal) for source in range(len(widths)))
            for goal in range(len(widths))
        )
        self.act = nn.ReLU()

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """One map (N, width, H, W) a stream, highest resolution first; the same shapes."""
        maps = [stream(x) for stream, x in zip(self.streams, maps, strict=True)]
        fused = []
        for goal, layers in enumerate(self.fuse):
            assert isinstance(layers, nn.ModuleList)
            total = maps[goal]
            for source, layer in enumerate(layers):
                if source < goal:
                    total = total + layer(maps[source])
                elif source > goal:
                    total = total + _enlarged(layer(maps[source]), maps[goal])
            fused.append(self.act(total))
        return fused


def _fusing(widths: Sequence[int], source: int, goal: int) -> nn.Module:
    """What a stream passes through on its way to another: the last step without activation."""
    if source == goal:
        return nn.Identity()
    if source > goal:
        return nn.Sequential(conv_norm(widths[source], widths[goal], 1))
    steps: list[nn.Module] = []
    for step in range(source, goal):
        last = step == goal - 1
        pair = conv_norm(widths[source], widths[goal if last else source], 3, 2)
        steps.append(nn.Sequential(pair if last else OrderedDict(**pair, act=nn.ReLU())))
    return nn.Sequential(*steps)


def _enlarged(x: Tensor, other: Tensor) -> Tensor:
    """`x` at the size of another map."""
    return F.interpolate(x, size=other.shape[-2:], mode="bilinear", align_corners=False)


class HRNet(nn.Module):
    """Stem (a quarter of the resolution), a residual stage, three of exchanging streams, head."""

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            OrderedDict(first=_step(in_channels, STEM, 2), second=_step(STEM, STEM, 2))
        )
        width = PLANES * Bottleneck.expansion
        self.stage1 = nn.Sequential(
            Bottleneck(STEM, PLANES, 1), *(Bottleneck(width, PLANES, 1) for _ in range(BLOCKS - 1))
        )
        self.enter = nn.ModuleList([_step(width, WIDTHS[0], 1), _step(width, WIDTHS[1], 2)])
        self.new = nn.ModuleList(
            _step(above, below, 2) for above, below in itertools.pairwise(WIDTHS[1:])
        )
        self.stage2, self.stage3, self.stage4 = (
            nn.Sequential(*(Exchange(WIDTHS[:streams]) for _ in range(count)))
            for streams, count in enumerate(MODULES, start=2)
        )
        total = sum(WIDTHS)
        self.head = nn.Sequential(OrderedDict(**conv_norm(total, total, 1), act=nn.ReLU()))
        self.classes = nn.Conv2d(total, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """`x` (N, C, H, W) to (N, num_classes, H, W)."""
        entered = self.stage1(self.stem(x))
        maps = self.stage2([layer(entered) for layer in self.enter])
        for new, stage in zip(self.new, (self.stage3, self.stage4), strict=True):
            maps = stage([*maps, new(maps[-1])])
        first, *others = maps
        joined = torch.cat([first, *(_enlarged(each, first) for each in others)], 1)
        return _enlarged(self.classes(self.head(joined)), x)


def _step(channels: int, width: int, stride: int) -> nn.Sequential:
    pair = conv_norm(channels, width, 3, stride)
    return nn.Sequential(OrderedDict(**pair, act=nn.ReLU()))


def build(num_classes: int, input_size: tuple[int, int, int]) -> nn.Module:
    """HRNetV2-W48; the same at every input size."""
    model = HRNet(input_size[0], num_classes)
    initialise(model)
    nn.init.normal_(model.classes.weight, std=0.01)  # as a linear layer of the others
    return model
