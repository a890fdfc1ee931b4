"""What every resizer states."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import torch
from torch import Tensor, nn

from resnas.errors import InvalidResizer
from resnas.polynomial import Dim
from resnas.results import Size

Place = Literal["after", "conv", "before"]


@dataclass(frozen=True)
class Site:
    """A place where a backbone changes resolution, as a resizer gets to see it.

    Attributes:
        name: of the site in its space.
        channels: of the map to be resized.
        stride: nominal, (vertical, horizontal): that of the convolution, the pool or both.
        size_in: (H, W) of the map to be resized.
        size_out: (H, W) that it has to have for the network to be the human design.
    """

    name: str
    channels: int
    stride: tuple[int, int]
    size_in: Size
    size_out: Size


class AbstractResizer(nn.Module, ABC):
    """A map `(N, C, H, W)` becomes `(N, C, H', W')`; (H', W') depends on the stride.

    A resizer states four things: its soft size (real, differentiable), its hard size (integer),
    its forward, and what stands at a site instead of the strided operation. Two more follow from
    them: the same operator with its size fixed, and what it costs.

    `lead` is the map (or its size) that the *leader* of the resizer's group resizes, where that
    is another size than its own: the target is always the leader's size over the stride, so maps
    that meet agree even where they come from different sizes.

    Attributes:
        stride: parameter of shape (2,), (vertical, horizontal): input size / output size.
        place: where the operator's paper puts it when a strided convolution stood there.
        follows_lead: whether it can give its map the size of a leader whose map is another.
        smallest: least soft size per axis; a map that enters smaller keeps what it has.
        largest: greatest soft size per axis.
        offset: pixels that this member's map is larger than the leader's, per axis.
    """

    place: ClassVar[Place]
    follows_lead: ClassVar[bool] = True
    stride: nn.Parameter

    def __init__(self, stride: tuple[float, float]) -> None:
        super().__init__()
        if len(stride) != 2 or not all(0 < s < float("inf") for s in stride):
            raise InvalidResizer(
                f"{type(self).__name__}(stride={stride!r})",
                "a stride is two positive finite numbers, (vertical, horizontal)",
                "Pass for example stride=(2.0, 2.0)",
            )
        self.stride = nn.Parameter(torch.tensor(stride, dtype=torch.float32))
        self.smallest: tuple[float, float] = (1.5, 1.5)
        self.largest: tuple[float, float] = (float("inf"), float("inf"))
        self.offset: tuple[int, int] = (0, 0)

    @abstractmethod
    def soft_size(self, size: Tensor, lead: Tensor | None = None) -> Tensor:
        """Real-valued output size, differentiable in the stride and in `size`.

        Args:
            size: (2,), height and width of the input, integer-valued.
            lead: (2,), height and width of what the group's leader resizes, if another.
        """

    @abstractmethod
    def hard_size(self, size: Size, lead: Size | None = None) -> Size:
        """The integer output size for an input of `size`; what forward really returns."""

    @abstractmethod
    def forward(self, x: Tensor, lead: Tensor | None = None) -> Tensor:
        """Resize `x` (N, C, H, W) to `hard_size`; `lead` is the leader's input map, if another."""

    @classmethod
    @abstractmethod
    def from_site(cls, site: Site) -> Self | None:
        """What stands at `site` instead: started at its human size, or None to leave it alone."""

    @abstractmethod
    def fixed(self, size: Size, lead: Size | None = None) -> nn.Module:
        """The same operator for inputs of exactly `size`: no parameter, plain operations only."""

    @abstractmethod
    def macs(self, channels: int, size_in: tuple[Dim, Dim], size_out: tuple[Dim, Dim]) -> Dim:
        """Multiply-accumulates of one sample, as a product of the given sizes."""

    def target(self, size: Tensor, lead: Tensor | None = None) -> Tensor:
        """The group's size on each axis, (2,): leader's size / stride, kept within the bounds.

        Beyond a bound the gradient is zero, as in the thesis (eq. 4.4: max(H/α, 1.5)).
        """
        lead = size if lead is None else lead
        wanted = lead / self.stride.to(lead)
        least = torch.minimum(lead.new_tensor(self.smallest), lead.detach())
        most = lead.new_tensor(self.largest)
        wanted = torch.where(wanted > least, wanted, least)
        return torch.where(wanted < most, wanted, most) + lead.new_tensor(self.offset)

    def hard_target(self, size: Size, lead: Size | None = None) -> tuple[float, float]:
        """`target` in Python floats."""
        v, h = (
            min(max(n / s, min(least, n)), most) + more
            for n, s, least, most, more in zip(
                size if lead is None else lead,
                self.strides(),
                self.smallest,
                self.largest,
                self.offset,
                strict=True,
            )
        )
        return v, h

    def strides(self) -> tuple[float, float]:
        """The stride as Python floats, (vertical, horizontal)."""
        v, h = self.stride.detach().double().expand(2).tolist()
        return v, h

    @torch.no_grad()
    def clip_stride(self, size: Size) -> None:
        """Bring the stride to where the soft size of a map of `size` is within its bounds.

        At a bound and beyond it the gradient is zero and the stride would never come back; just
        inside it flows.
        """
        for axis in range(self.stride.numel()):
            least = min(self.smallest[axis], size[axis]) * 1.001
            most = self.largest[axis] - 0.1  # rounds to the largest all the same
            low, high = size[axis] / most, size[axis] / least
            self.stride[axis].clamp_(low, max(low, high))

    def check_map(self, x: Tensor) -> Size:
        """Height and width of a map.

        Raises:
            InvalidResizer: not a floating-point (N, C, H, W).
        """
        if x.dim() != 4 or not x.is_floating_point() or 0 in x.shape[2:]:
            raise InvalidResizer(
                type(self).__name__,
                f"it was given {x.dtype} of shape {tuple(x.shape)}",
                "It resizes floating-point maps (N, C, H, W) with H, W >= 1",
            )
        return (x.shape[2], x.shape[3])

    def extra_repr(self) -> str:
        """The stride, in the module's repr."""
        v, h = self.strides()
        return f"stride=({v:.4g}, {h:.4g})"


ENTRY = AbstractResizer


def round_half_even(size: tuple[float, float]) -> Size:
    """Nearest integers, halves to the even one: Python's round, and DynOPool's."""
    return (round(size[0]), round(size[1]))
