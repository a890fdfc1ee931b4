"""VGG (Simonyan & Zisserman 2015) with batch norm and a single fully-connected layer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from search_spaces._layers import head, initialise


def vgg(
    in_channels: int, num_classes: int, stages: Sequence[Sequence[int]], *, last_pool: bool
) -> nn.Sequential:
    """3×3 convolutions in stages, a 2×2 max pool behind each.

    Args:
        in_channels: of the image.
        num_classes: width of the output.
        stages: output channels of every convolution, stage by stage.
        last_pool: whether a max pool also stands behind the last stage.
    """
    features: OrderedDict[str, nn.Module] = OrderedDict()
    channels = in_channels
    for number, widths in enumerate(stages, start=1):
        features[f"stage{number}"] = _stage(channels, widths)
        channels = widths[-1]
        if last_pool or number < len(stages):
            features[f"pool{number}"] = nn.MaxPool2d(2)
    model = nn.Sequential(OrderedDict(**features, head=head(channels, num_classes)))
    initialise(model)
    return model


def _stage(channels: int, widths: Sequence[int]) -> nn.Sequential:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for number, width in enumerate(widths, start=1):
        layers[f"conv{number}"] = nn.Conv2d(channels, width, 3, padding=1)
        layers[f"norm{number}"] = nn.BatchNorm2d(width)
        layers[f"act{number}"] = nn.ReLU(inplace=True)
        channels = width
    return nn.Sequential(layers)
