"""AlexNet (Krizhevsky 2014, "one weird trick"): five convolutions, three linear layers, no norm."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from search_spaces._layers import initialise, is_small
from search_spaces._recipe import Recipe

RECIPE = Recipe(lr=0.01, weight_decay=5e-4, about="AlexNet; resized by its stem and max pools")

WIDTHS = (64, 192, 384, 256, 256)


def build(num_classes: int, input_size: tuple[int, int, int]) -> nn.Module:
    """AlexNet: 224-55-27-13-6, with 4096 features in its linear layers.

    In the CIFAR form the first convolution is 5×5 with stride 1, the pools are padded (32-16-8-4),
    and the linear layers have 1024 features.
    """
    small = is_small(input_size)
    if small:
        stem = nn.Conv2d(input_size[0], WIDTHS[0], 5, padding=2)
    else:
        stem = nn.Conv2d(input_size[0], WIDTHS[0], 11, stride=4, padding=2)
    layers: OrderedDict[str, nn.Module] = OrderedDict(conv1=stem, act1=nn.ReLU(inplace=True))
    channels = WIDTHS[0]
    for number, width in enumerate(WIDTHS[1:], start=2):
        if number in (2, 3):
            layers[f"pool{number - 1}"] = _pool(small)
        kernel_size = 5 if number == 2 else 3
        layers[f"conv{number}"] = nn.Conv2d(channels, width, kernel_size, padding=kernel_size // 2)
        layers[f"act{number}"] = nn.ReLU(inplace=True)
        channels = width
    layers["pool5"] = _pool(small)
    side, features = (4, 1024) if small else (6, 4096)
    layers["head"] = _classifier(channels, side, features, num_classes)
    model = nn.Sequential(layers)
    initialise(model)
    for module in model.modules():
        if isinstance(module, nn.Linear):  # without a norm, 0.01 would let the signal fade
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    return model


def _pool(padded: bool) -> nn.MaxPool2d:
    return nn.MaxPool2d(3, stride=2, padding=1 if padded else 0)


def _classifier(channels: int, side: int, features: int, num_classes: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            pool=nn.AdaptiveAvgPool2d(side),
            flatten=nn.Flatten(1),
            drop1=nn.Dropout(0.5),
            fc1=nn.Linear(channels * side * side, features),
            act1=nn.ReLU(inplace=True),
            drop2=nn.Dropout(0.5),
            fc2=nn.Linear(features, features),
            act2=nn.ReLU(inplace=True),
            fc3=nn.Linear(features, num_classes),
        )
    )
