"""ResNet-18 with pre-activation (He et al. 2016b), as DiffStride's authors search it.

With a convolution shared by nobody before each norm, a resizer that stands right behind it (place
"conv") acts on the same map in the main branch and in the shortcut.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from search_spaces._layers import conv_norm, head, initialise, is_small
from search_spaces._recipe import Recipe

RECIPE = Recipe(
    lr=0.1, weight_decay=5e-4, about="ResNet-18 with norm and activation before each convolution"
)

WIDTHS = (64, 128, 256, 512)
LARGEST_STRIDE = 8


class PreActivation(nn.Module):
    """`shortcut(x) + conv2(act(norm2(conv1(act(norm1(x))))))`.

    Args:
        channels: of the map that enters.
        width: of the map that leaves.
        stride: of the first 3×3 and of the shortcut.
        project: whether the shortcut is a 1×1 convolution of the raw input, else the input.
    """

    def __init__(self, channels: int, width: int, stride: int, project: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(
            OrderedDict(
                norm1=nn.BatchNorm2d(channels),
                act1=nn.ReLU(),  # not in place: the shortcut wants the raw input
                conv1=nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False),
                norm2=nn.BatchNorm2d(width),
                act2=nn.ReLU(inplace=True),
                conv2=nn.Conv2d(width, width, 3, padding=1, bias=False),
            )
        )
        self.shortcut: nn.Module = (
            nn.Conv2d(channels, width, 1, stride=stride, bias=False) if project else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        """`x` (N, channels, H, W) to (N, width, H', W')."""
        out: Tensor = self.body(x) + self.shortcut(x)
        return out


def build(
    num_classes: int,
    input_size: tuple[int, int, int],
    *,
    strides: tuple[int, ...] = (2, 2, 2),
    widths: tuple[int, ...] = WIDTHS,
) -> nn.Module:
    """ResNet-18, pre-activation; the CIFAR form has a 3×3 stem and no max pool.

    Args:
        num_classes: width of the output.
        input_size: (C, H, W).
        strides: of the first blocks of stages 2, 3 and 4.
        widths: channels of the four stages.

    Raises:
        ValueError: the strides are not three whole numbers from 1 to 8, or the widths not four
            from 1.
    """
    if len(strides) != 3 or not all(
        type(stride) is int and 1 <= stride <= LARGEST_STRIDE for stride in strides
    ):
        raise ValueError(
            f"preact_resnet18: strides is {'+'.join(map(str, strides))}. "
            f"Pass three whole numbers from 1 to {LARGEST_STRIDE}, like strides=2+2+2"
        )
    if len(widths) != len(WIDTHS) or not all(type(width) is int and width > 0 for width in widths):
        raise ValueError(
            f"preact_resnet18: widths is {'+'.join(map(str, widths))}. "
            "Pass four whole numbers from 1, like widths=60+120+240+516"
        )
    channels = widths[0]
    layers: OrderedDict[str, nn.Module] = OrderedDict(stem=_stem(input_size, channels))
    for number, (width, stride) in enumerate(zip(widths, (1, *strides), strict=True), start=1):
        first = PreActivation(channels, width, stride, project=number > 1)
        layers[f"stage{number}"] = nn.Sequential(first, PreActivation(width, width, 1, False))
        channels = width
    layers["norm"] = nn.BatchNorm2d(channels)
    layers["act"] = nn.ReLU(inplace=True)
    layers["head"] = head(channels, num_classes)
    model = nn.Sequential(layers)
    initialise(model)
    return model


def _stem(input_size: tuple[int, int, int], width: int) -> nn.Sequential:
    """The first convolution; at 224 pixels with the norm, activation and max pool of ResNet."""
    if is_small(input_size):
        conv = nn.Conv2d(input_size[0], width, 3, padding=1, bias=False)
        return nn.Sequential(OrderedDict(conv=conv))
    return nn.Sequential(
        OrderedDict(
            **conv_norm(input_size[0], width, 7, stride=2),
            act=nn.ReLU(inplace=True),
            pool=nn.MaxPool2d(3, stride=2, padding=1),
        )
    )
