"""Convolution with adaptive stride (CAS): a mask made of the map thins out what it extracts."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Self, final

from torch import nn

from resnas.layers._adaptive_stride import AdaptiveStride
from resnas.layers._base import Original, Settings, is_convolution


@final
class ConvAdaptiveStride(AdaptiveStride):
    """Convolution with adaptive stride (CAS): `y = mask(x) · conv(x)`, a mask for each sample.

    Args:
        conv: becomes part of this layer with its weights; `full_size` takes a copy of stride 1.
        from_result: make the mask from the convolution's result (section 2.1.4), not from the
            input (2.1.5).
        full_size: convolve with stride 1 (2.1.2, 2.1.3), not with the stride of `conv` (2.1.5).
        per_channel: a mask for every channel, not one for all.
        kernel_size: of the mask's convolutions, odd; its first one takes that of `conv` unless
            `from_result`.
        width: channels between the mask's convolutions.

    Shape:
        (N, C, H, W) to what `conv` makes of it.

    Raises:
        InvalidLayer: a setting that cannot be; or a map of another form is given.

    >>> import torch
    >>> layer = ConvAdaptiveStride(nn.Conv2d(4, 6, 3, stride=2, padding=1))
    >>> layer(torch.zeros(2, 4, 15, 12)).shape, layer.mask(torch.zeros(2, 4, 15, 12)).shape
    (torch.Size([2, 6, 8, 6]), torch.Size([2, 1, 8, 6]))
    """

    def __init__(
        self,
        conv: nn.Conv2d,
        *,
        from_result: bool = False,
        full_size: bool = False,
        per_channel: bool = False,
        kernel_size: int = 3,
        width: int = 8,
    ) -> None:
        if full_size:
            conv = copy.deepcopy(conv)
            conv.stride = (1, 1)
        super().__init__(
            conv,
            (conv.in_channels, conv.out_channels),
            from_result=from_result,
            per_channel=per_channel,
            kernel_size=kernel_size,
            width=width,
        )

    @classmethod
    def instead_of(cls, original: Original, settings: Settings) -> Self | None:
        """For every convolution, grouped ones too; it keeps its weights."""
        conv = original.layer
        if not is_convolution(conv):
            return None
        assert isinstance(conv, nn.Conv2d)
        return cls(conv, **settings)

    def _entrance(self, width: int, kernel_size: int) -> Sequence[nn.Module]:
        del kernel_size
        conv = self.base
        assert isinstance(conv, nn.Conv2d)
        window: Any = (conv.kernel_size, conv.stride, conv.padding, conv.dilation)
        return (nn.Conv2d(conv.in_channels, width, *window),)
