"""What CAS and PAS share: a map, times a mask that three convolutions make.

Sources are the sections of "Convolution and pooling operation module with adaptive stride
processing effect" (anonymous submission, 2022).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from resnas.errors import InvalidLayer
from resnas.layers._base import AbstractLayer, Settings, check_map, least_map


class AdaptiveStride(AbstractLayer):
    """`mask(x) · base(x)`: positions where the mask is zero count as stepped over.

    The text contradicts itself in three places, and each choice is an argument:

    - The mask is made from the input of the layer (section 2.1.5, and 2.2 for pools), or with
      `from_result` from what the base operation puts out (2.1.4).
    - The base operation keeps its own stride (2.1.5 and 2.2, "fixed stride"); with `full_size`
      it has stride 1 (2.1.2 and 2.1.3), and zeros alone thin the map out.
    - One mask serves all channels, as the figures have it; with `per_channel` each has its own,
      as "multiplied by the initial feature map" (2.1.5) may also be read.

    Where it is silent: a mask made from the input is reduced as the map is, a convolution's in its
    first convolution, of the same window, stride and padding, a pool's behind its first by the pool
    itself; so both have one size for every input. The other convolutions have `kernel_size` and
    keep it. Between them stand ReLUs, as "three convolutional layers" are "a complex function"
    (2.1.4), which without them would be a linear one. They are `width` channels wide, little beside
    the base operation.

    The last bias starts at 1 and everything else as torch has it, so the mask starts open, near 1
    everywhere, and the layer near its base operation. A mask around 0 would be closed at half of
    all positions, which then learn nothing.

    Args:
        base: the convolution or pool.
        channels: (of the map that enters, of the map that comes out).
        from_result, full_size, per_channel, kernel_size, width: see above.
    """

    settings: ClassVar[Settings] = {
        "from_result": False,
        "full_size": False,
        "per_channel": False,
        "kernel_size": 3,
        "width": 8,
    }

    def __init__(
        self,
        base: nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d,
        channels: tuple[int, int],
        *,
        from_result: bool,
        per_channel: bool,
        kernel_size: int,
        width: int,
    ) -> None:
        super().__init__()
        _check(type(self).__name__, kernel_size, width)
        self.base = base
        self.from_result = from_result
        self._channels, leaving = channels
        self._least = least_map(base)
        if from_result:
            entrance: Sequence[nn.Module] = (keeping(leaving, width, kernel_size),)
        else:
            entrance = self._entrance(width, kernel_size)
        middle = keeping(width, width, kernel_size)
        last = keeping(width, leaving if per_channel else 1, kernel_size)
        assert last.bias is not None
        nn.init.ones_(last.bias)
        self.gate = nn.Sequential(*entrance, nn.ReLU(), middle, nn.ReLU(), last, nn.ReLU())
        weight = next(base.parameters(), torch.empty(0))
        self.gate.to(weight.device, weight.dtype)

    @abstractmethod
    def _entrance(self, width: int, kernel_size: int) -> Sequence[nn.Module]:
        """The first convolution of a mask made from the input, reducing the map as `base` does."""

    def mask(self, x: Tensor) -> Tensor:
        """The mask for a map `x` (N, C, H, W).

        Shape:
            (N, 1, H', W'), or (N, C', H', W') with `per_channel`; not negative.
        """
        check_map(self, x, self._channels, self._least)
        mask: Tensor = self.gate(self.base(x) if self.from_result else x)
        return mask

    def forward(self, x: Tensor) -> Tensor:
        """`mask(x) · base(x)`, (N, C', H', W')."""
        check_map(self, x, self._channels, self._least)
        result: Tensor = self.base(x)
        mask: Tensor = self.gate(result if self.from_result else x)
        return mask * result


def keeping(entering: int, leaving: int, kernel_size: int) -> nn.Conv2d:
    """A convolution that keeps the size of its map; `kernel_size` is odd."""
    return nn.Conv2d(entering, leaving, kernel_size, padding=kernel_size // 2)


def _check(layer: str, kernel_size: int, width: int) -> None:
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise InvalidLayer(
            layer, f"kernel_size is {kernel_size}, which cannot keep a size", "Pass an odd number"
        )
    if width < 1:
        raise InvalidLayer(layer, f"width is {width}", "Pass 1 or more")
