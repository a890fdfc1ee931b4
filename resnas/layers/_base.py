"""What every replacement of a layer states."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Self

from torch import nn


class AbstractLayer(nn.Module, ABC):
    """Stands where a backbone had a convolution or a pool; learns no size.

    Attributes:
        computes_as: a class of torch whose attributes it has (`in_channels`, `kernel_size`,
            `stride`, ...), whose sizes it gives and whose multiply-accumulates it takes: it is
            then treated as one in every way, also as a site. None: it is made of ordinary layers,
            which are traced and counted one by one.
    """

    computes_as: ClassVar[type[nn.Module] | None] = None

    @classmethod
    @abstractmethod
    def instead_of(
        cls, layer: nn.Module, channels: int, settings: Mapping[str, str]
    ) -> Self | None:
        """What stands where `layer` stood, or None to leave such layers as they are.

        Args:
            layer: of the backbone, in its full precision and on its device.
            channels: of the map that enters it.
            settings: as the user wrote them, `{"n": "3"}` for "phc:n=3".

        Raises:
            InvalidLayer: a setting is unknown or unfit, or the layer's channels are.
        """


ENTRY = AbstractLayer
