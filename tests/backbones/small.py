"""A twentieth of `vgg_small`: where a search is tested, not its backbone. As "own/small"."""

from collections import OrderedDict
from itertools import pairwise

from torch import nn


def build(num_classes: int, input_size: tuple[int, int, int]) -> nn.Module:
    """Three convolutions with two max pools between them."""
    channels = (input_size[0], 8, 16, 16)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for number, (c_in, c_out) in enumerate(pairwise(channels), start=1):
        layers[f"conv{number}"] = nn.Conv2d(c_in, c_out, 3, padding=1, bias=False)
        layers[f"norm{number}"] = nn.BatchNorm2d(c_out)
        layers[f"act{number}"] = nn.ReLU()
        if number < 3:
            layers[f"pool{number}"] = nn.MaxPool2d(2)
    layers |= {"pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
    layers["fc"] = nn.Linear(channels[-1], num_classes)
    return nn.Sequential(layers)
