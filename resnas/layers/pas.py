"""Pooling with adaptive stride (PAS): a mask made of the map thins out what it pools."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Self, TypeAlias, final

from torch import nn

from resnas.errors import InvalidLayer
from resnas.layers._adaptive_stride import AdaptiveStride, keeping
from resnas.layers._base import Original, Settings

Pool: TypeAlias = nn.MaxPool2d | nn.AvgPool2d
"""The pools whose window is fixed."""


@final
class PoolAdaptiveStride(AdaptiveStride):
    """Pooling with adaptive stride (PAS): `y = mask(x) · pool(x)`, a mask for each sample.

    Args:
        pool: becomes part of this layer; `full_size` takes a copy of stride 1.
        channels: of the map that enters, which a pool does not know.
        from_result: make the mask from the pool's result (as section 2.1.4 has it for
            convolutions), not from the input (2.2).
        full_size: pool with stride 1 (as 2.1.2 and 2.1.3 have it for convolutions), not with the
            stride of `pool` (2.2).
        per_channel: a mask for every channel, not one for all.
        kernel_size: of the mask's convolutions, odd.
        width: channels between the mask's convolutions.

    Shape:
        (N, channels, H, W) to what `pool` makes of it.

    Raises:
        InvalidLayer: a setting that cannot be, or a pool that also returns indices; or a map of
            another form is given.

    >>> import torch
    >>> layer = PoolAdaptiveStride(nn.MaxPool2d(2), channels=4)
    >>> layer(torch.zeros(2, 4, 15, 12)).shape, layer.mask(torch.zeros(2, 4, 15, 12)).shape
    (torch.Size([2, 4, 7, 6]), torch.Size([2, 1, 7, 6]))
    """

    def __init__(
        self,
        pool: Pool,
        channels: int,
        *,
        from_result: bool = False,
        full_size: bool = False,
        per_channel: bool = False,
        kernel_size: int = 3,
        width: int = 8,
    ) -> None:
        if getattr(pool, "return_indices", False):
            raise InvalidLayer(
                "PoolAdaptiveStride",
                "its pool also returns indices",
                "Pass a pool with return_indices=False",
            )
        if full_size:
            pool = copy.deepcopy(pool)
            pool.stride = 1
        super().__init__(
            pool,
            (channels, channels),
            from_result=from_result,
            per_channel=per_channel,
            kernel_size=kernel_size,
            width=width,
        )

    @classmethod
    def instead_of(cls, original: Original, settings: Settings) -> Self | None:
        """For every pool but one over the whole map, which ends the map and thins nothing out."""
        pool = original.layer
        if not isinstance(pool, Pool) or _is_global(pool, original):
            return None
        channels = {channels for channels, *_ in original.maps}
        if len(channels) > 1:
            raise InvalidLayer(
                "PoolAdaptiveStride",
                f"one module pools maps of {' and '.join(map(str, sorted(channels)))} channels",
                "Give the backbone a pool for each",
            )
        return cls(pool, channels.pop(), **settings)

    def _entrance(self, width: int, kernel_size: int) -> Sequence[nn.Module]:
        return keeping(self._channels, width, kernel_size), copy.deepcopy(self.base)


def _is_global(pool: Pool, original: Original) -> bool:
    kernel = pool.kernel_size
    window = (kernel, kernel) if isinstance(kernel, int) else tuple(kernel)
    return all(entering[1:] == window for entering in original.maps)
