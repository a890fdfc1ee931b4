"""Operations that enlarge a map: the one that stands for them, and what size each of them gives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, fx, nn

from resnas.errors import UnsizedOperation
from resnas.graph.sizes import Propagation, Rule
from resnas.graph.trace import where
from resnas.graph.values import Map
from resnas.polynomial import Dim


class ToSize(nn.Module):
    """Interpolation to a size that is given with the map.

    Args:
        mode, align_corners: as `torch.nn.functional.interpolate` has them.
        factors: (vertical, horizontal) that a backbone enlarges the same map by. Where they give
            the size, pixels lie as they put them: 1.5 makes 7 of 5, but not at steps of 5 / 7.
    """

    def __init__(
        self,
        mode: str,
        align_corners: bool | None,
        factors: tuple[float, float] | None = None,
    ) -> None:
        super().__init__()
        self.mode = mode
        self.align_corners = align_corners
        self.factors = factors

    def forward(self, x: Tensor, size: Sequence[int]) -> Tensor:
        """`x` (N, C, H, W) at `size` (height, width); itself where it has that size."""
        height, width = size
        if (x.shape[2], x.shape[3]) == (height, width):
            return x
        mode, corners = self.mode, self.align_corners
        if self.factors is not None:
            given = (
                math.floor(x.shape[2] * self.factors[0]),
                math.floor(x.shape[3] * self.factors[1]),
            )
            if given == (height, width):
                factors = list(self.factors)
                return F.interpolate(x, scale_factor=factors, mode=mode, align_corners=corners)
        return F.interpolate(x, (height, width), mode=mode, align_corners=corners)

    def extra_repr(self) -> str:
        """How it interpolates, in the module's repr."""
        return f"mode={self.mode}, align_corners={self.align_corners}"


def _to_size(p: Propagation, node: fx.Node, args: list[Any], kwargs: dict[str, Any]) -> Map:
    del p, node, kwargs
    size = args[1].shape if isinstance(args[1], Map) else args[1]
    return Map((*args[0].shape[:2], *size))


def _upsample(p: Propagation, node: fx.Node, args: list[Any], kwargs: dict[str, Any]) -> Map:
    del kwargs
    upsample = p.target(node)
    if upsample.size is not None:
        return Map((*args[0].shape[:2], *_pair(upsample.size)))
    factors = _pair(upsample.scale_factor)
    sizes = (_scaled(node, *pair) for pair in zip(args[0].shape[2:], factors, strict=True))
    return Map((*args[0].shape[:2], *sizes))


def _pair(value: Any) -> tuple[Any, Any]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value, value)


def _scaled(node: fx.Node, size: Dim, factor: float) -> Dim:
    if isinstance(size, int):
        return math.floor(size * factor)
    if float(factor).is_integer():
        return size * int(factor)
    raise UnsizedOperation(
        where(node),
        f"it enlarges a map whose size can change {factor:g} times",
        "Let it interpolate to a size, or by whole numbers, or exclude the sites before it "
        "(sites=[...])",
    )


def _transposed(p: Propagation, node: fx.Node, args: list[Any], kwargs: dict[str, Any]) -> Map:
    conv = p.target(node)
    if args[1:] or kwargs:
        raise UnsizedOperation(
            where(node),
            "a transposed convolution is told the size of its result, which can change",
            "Call it without output_size, or exclude the sites before it (sites=[...])",
        )
    sizes = tuple(
        (args[0].shape[2 + a] + -1) * conv.stride[a]
        + (conv.dilation[a] * (conv.kernel_size[a] - 1) + 1)
        + (conv.output_padding[a] - 2 * conv.padding[a])
        for a in (0, 1)
    )
    return Map((args[0].shape[0], conv.out_channels, *sizes))


def _pixel_shuffle(p: Propagation, node: fx.Node, args: list[Any], kwargs: dict[str, Any]) -> Map:
    del kwargs
    factor = p.target(node).upscale_factor
    batch, channels, height, width = args[0].shape
    return Map((batch, channels // factor**2, height * factor, width * factor))


ENLARGING: dict[Any, Rule] = {
    ToSize: _to_size,
    nn.Upsample: _upsample,
    nn.ConvTranspose2d: _transposed,
    nn.PixelShuffle: _pixel_shuffle,
}
"""Size rules, a part of `resnas.graph.rules.RULES`."""
