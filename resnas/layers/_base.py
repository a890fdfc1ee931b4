"""What every replacement of a layer states."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from torch import Tensor, nn

from resnas.errors import InvalidLayer

Settings = Mapping[str, Any]
"""What a user asks of a layer: by name a whole number, or a bool."""


@dataclass(frozen=True)
class Original:
    """A layer of a backbone, as its replacement gets to see it.

    Attributes:
        name: path of the module in the backbone.
        layer: the module, in its precision and on its device.
        maps: (C, H, W) of every map that enters it, one a call.
    """

    name: str
    layer: nn.Module
    maps: tuple[tuple[int, int, int], ...]


class AbstractLayer(nn.Module, ABC):
    """Stands where a backbone had a convolution or a pool; learns no size.

    Attributes:
        computes_as: a class of torch whose attributes it has (`in_channels`, `kernel_size`,
            `stride`, ...), whose sizes it gives and whose multiply-accumulates it takes: it is
            then treated as one in every way, also as a site. None: it is made of ordinary layers,
            which are traced and counted one by one.
        settings: what can be asked of it by name ("phc:n=3"), each with its default; a setting
            whose default is a bool is 0 or 1.
    """

    computes_as: ClassVar[type[nn.Module] | None] = None
    settings: ClassVar[Settings] = {}

    @classmethod
    @abstractmethod
    def instead_of(cls, original: Original, settings: Settings) -> Self | None:
        """What stands where `original` stood, or None to leave such layers as they are.

        Args:
            original: in the backbone; its weights may be taken over, it is not used again.
            settings: all of `cls.settings`, with what was asked.

        Raises:
            InvalidLayer: it should be replaced, and cannot be with these settings.
        """


ENTRY = AbstractLayer


def is_convolution(layer: nn.Module) -> bool:
    """Whether a layer is torch's 2-D convolution, or one that computes in the same way."""
    return isinstance(layer, nn.Conv2d) and type(layer).forward is nn.Conv2d.forward


def least_map(layer: Any) -> tuple[int, int]:
    """(H, W) of the smallest map that the window of a convolution or a pool fits."""
    kernel, stride = _pair(layer.kernel_size), _pair(layer.stride)
    dilation = _pair(getattr(layer, "dilation", 1))
    padding = (0, 0) if isinstance(layer.padding, str) else _pair(layer.padding)
    least = [1, 1]
    for axis in (0, 1):
        span = dilation[axis] * (kernel[axis] - 1) + 1
        spare = stride[axis] - 1 if getattr(layer, "ceil_mode", False) else 0
        if layer.padding != "same":
            least[axis] = max(1, span - 2 * padding[axis] - spare)
    return least[0], least[1]


def check_map(layer: nn.Module, x: object, channels: int, least: tuple[int, int]) -> None:
    """Refuse what is no map of a layer.

    Args:
        layer: that was given it.
        x: anything; what merely stands for a tensor while a graph is traced passes.
        channels: that the layer takes.
        least: (H, W) of the smallest map that it can hold.

    Raises:
        InvalidLayer: `x` is no floating-point (N, channels, H, W) of at least that size.
    """
    if not isinstance(x, Tensor):
        return
    fits = x.dim() == 4 and x.shape[1] == channels
    fits = fits and x.shape[2] >= least[0] and x.shape[3] >= least[1]
    if not fits or not x.is_floating_point():
        raise InvalidLayer(
            type(layer).__name__,
            f"it was given {x.dtype} of shape {tuple(x.shape)}",
            f"It takes floating-point maps (N, {channels}, H, W) of at least "
            f"{least[0]}×{least[1]} pixels",
        )


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])
