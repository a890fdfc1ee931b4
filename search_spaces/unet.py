"""U-Net (Ronneberger et al. 2015) with padded convolutions and batch norm."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from search_spaces._layers import conv_norm, initialise
from search_spaces._recipe import Recipe

RECIPE = Recipe(lr=0.01, weight_decay=5e-4, about="U-Net; the class of every pixel", dense=True)


class Up(nn.Module):
    """A map enlarged to its skip, joined with it, and two convolutions.

    Args:
        channels: of the map that is enlarged; the skip and the result have half as many.
        learned: whether a transposed convolution enlarges, else interpolation and a 1×1.
    """

    def __init__(self, channels: int, learned: bool) -> None:
        super().__init__()
        width = channels // 2
        self.enlarge: nn.Module = (
            nn.ConvTranspose2d(channels, width, 2, stride=2)
            if learned
            else nn.Conv2d(channels, width, 1)
        )
        self.body = _twice(channels, width)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """`x` (N, channels, h, w) and `skip` (N, channels / 2, H, W) to the shape of `skip`."""
        x = self.enlarge(x)
        x = F.interpolate(x, size=skip.shape[-2:], mode="bilinear", align_corners=False)
        out: Tensor = self.body(torch.cat([skip, x], 1))
        return out


class UNet(nn.Module):
    """Max pools down, `Up` with skips back, a 1×1 convolution to the classes."""

    def __init__(
        self, in_channels: int, num_classes: int, width: int, depth: int, learned: bool
    ) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(depth + 1)]
        self.stem = _twice(in_channels, width)
        self.down = nn.ModuleList(
            nn.Sequential(OrderedDict(pool=nn.MaxPool2d(2), body=_twice(above, below)))
            for above, below in itertools.pairwise(widths)
        )
        self.up = nn.ModuleList(Up(below, learned) for below in reversed(widths[1:]))
        self.head = nn.Conv2d(width, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """`x` (N, C, H, W) to (N, num_classes, H, W)."""
        maps = [self.stem(x)]
        for down in self.down:
            maps.append(down(maps[-1]))
        out = maps.pop()
        for up in self.up:
            out = up(out, maps.pop())
        classes: Tensor = self.head(out)
        return classes


def _twice(channels: int, width: int) -> nn.Sequential:
    first, second = conv_norm(channels, width, 3), conv_norm(width, width, 3)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for number, pair in enumerate((first, second), start=1):
        layers |= {f"{name}{number}": layer for name, layer in pair.items()}
        layers[f"act{number}"] = nn.ReLU()
    return nn.Sequential(layers)


def build(
    num_classes: int,
    input_size: tuple[int, int, int],
    *,
    width: int = 64,
    depth: int = 4,
    up: Literal["transposed", "bilinear"] = "transposed",
) -> nn.Module:
    """U-Net; the same at every input size, which need not be divisible by anything.

    Args:
        num_classes: of every pixel.
        input_size: (C, H, W).
        width: channels of the first level; each level below has twice as many.
        depth: levels below the first.
        up: what enlarges a map, a transposed convolution or interpolation.

    Raises:
        ValueError: the pictures are too small for the depth, or a number is below 1.
    """
    if width < 1 or depth < 1:
        raise ValueError(f"unet: width is {width} and depth is {depth}. Pass 1 or more")
    if min(input_size[1:]) >> depth < 1:
        raise ValueError(
            f"unet: {depth} levels halve {min(input_size[1:])} pixels to nothing. "
            "Pass a smaller depth, like depth=3, or larger pictures"
        )
    model = UNet(input_size[0], num_classes, width, depth, up == "transposed")
    initialise(model)
    nn.init.normal_(model.head.weight, std=0.01)  # as a linear layer of the others
    return model
