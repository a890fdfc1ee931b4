"""What every resizer states."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import MutableMapping
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Literal, Self

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from resnas.errors import InvalidResizer
from resnas.polynomial import Dim
from resnas.results import Size

Place = Literal["after", "conv", "before"]

Extent = tuple[int, ...]
"""Pixels by axis: (H, W) of a map, (L,) of a signal, (D, H, W) of a volume."""

_on_host: MutableMapping[Tensor, tuple[object, tuple[float, ...]]] = WeakTensorKeyDictionary()
"""Of strides on an accelerator: the state that was last fetched, and its numbers."""


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
    its forward, and what stands at a site instead of the strided operation. The same operator with
    its size fixed, and what it costs, follow from them.

    A stride has one number an axis. Where `ranks` allows, one of length 1 resizes signals
    (N, C, L) and one of length 3 volumes (N, C, D, H, W); what is said here of (H, W) then holds
    of their axes.

    `lead` is the map (or its size) that the *leader* of the resizer's group resizes, where that
    is another size than its own: the target is always the leader's size over the stride, so maps
    that meet agree even where they come from different sizes.

    Attributes:
        stride: parameter of shape (2,), (vertical, horizontal): input size / output size.
        rank: number of axes it resizes.
        place: where the operator's paper puts it when a strided convolution stood there.
        ranks: numbers of axes it can resize.
        follows_lead: whether it can give its map the size of a leader whose map is another.
        smallest: least soft size per axis; a map that enters smaller keeps what it has.
        largest: greatest soft size per axis.
        offset: pixels that this member's map is larger than the leader's, per axis.
        widens: whether more channels come out than go in, so that what follows must take more.
        widening: channels that come out for one that goes in.

    Raises:
        InvalidResizer: the stride is not one positive finite number an axis.
    """

    place: ClassVar[Place]
    ranks: ClassVar[tuple[int, ...]] = (2,)
    follows_lead: ClassVar[bool] = True
    widens: ClassVar[bool] = False
    stride: nn.Parameter

    def __init__(self, stride: tuple[float, ...]) -> None:
        super().__init__()
        if len(stride) not in self.ranks or not all(0 < s < math.inf for s in stride):
            axes = "two" if self.ranks == (2,) else " or ".join(map(str, self.ranks))
            raise InvalidResizer(
                f"{type(self).__name__}(stride={stride!r})",
                f"a stride is {axes} positive finite numbers, one an axis",
                "Pass for example stride=(2.0, 2.0): (vertical, horizontal)",
            )
        self.rank = len(stride)
        self.stride = nn.Parameter(torch.tensor(stride, dtype=torch.float32))
        self.smallest: tuple[float, ...] = (1.5,) * self.rank
        self.largest: tuple[float, ...] = (math.inf,) * self.rank
        self.offset: tuple[int, ...] = (0,) * self.rank
        self.widening = 1

    @classmethod
    def at(cls, stride: tuple[float, ...]) -> Self:
        """The operator of this stride, all else at its defaults.

        Raises:
            InvalidResizer: it has no such stride.
        """
        return cls(stride)

    @abstractmethod
    def soft_size(self, size: Tensor, lead: Tensor | None = None) -> Tensor:
        """Real-valued output size, differentiable in the stride and in `size`.

        Args:
            size: (2,), height and width of the input, integer-valued.
            lead: (2,), height and width of what the group's leader resizes, if another.
        """

    @abstractmethod
    def hard_size(self, size: Extent, lead: Extent | None = None) -> Extent:
        """The integer output size for an input of `size`; what forward really returns."""

    @abstractmethod
    def forward(self, x: Tensor, lead: Tensor | None = None) -> Tensor:
        """Resize `x` (N, C, H, W) to `hard_size`; `lead` is the leader's input map, if another."""

    @classmethod
    @abstractmethod
    def from_site(cls, site: Site) -> Self | None:
        """What stands at `site` instead: started at its human size, or None to leave it alone."""

    @abstractmethod
    def fixed(self, size: Extent, lead: Extent | None = None) -> nn.Module:
        """The same operator for inputs of exactly `size`: no parameter, plain operations only."""

    @abstractmethod
    def macs(self, channels: int, size_in: tuple[Dim, ...], size_out: tuple[Dim, ...]) -> Dim:
        """Multiply-accumulates of one sample, as a product of the given sizes."""

    def target(self, size: Tensor, lead: Tensor | None = None) -> Tensor:
        """The group's size on each axis, (2,): leader's size / stride, kept within the bounds.

        Beyond a bound the gradient is zero, as in the thesis (eq. 4.4: max(H/α, 1.5)).
        """
        lead = size if lead is None else lead
        wanted = lead / self.stride.to(lead)
        least = torch.minimum(constant(self.smallest, lead), lead.detach())
        most = constant(self.largest, lead)
        wanted = torch.where(wanted > least, wanted, least)
        return torch.where(wanted < most, wanted, most) + constant(self.offset, lead)

    def hard_target(self, size: Extent, lead: Extent | None = None) -> tuple[float, ...]:
        """`target` in Python floats."""
        sizes = size if lead is None else lead
        facts = zip(sizes, self.strides(), self.smallest, self.largest, self.offset, strict=True)
        return tuple(
            min(max(n / s, min(least, n)), most) + more for n, s, least, most, more in facts
        )

    def soft_stride_for(self, size: Extent, wanted: tuple[float, ...]) -> tuple[float, ...]:
        """The stride under which a leader's map of `size` has the soft size `wanted`, if any."""
        return tuple(n / z for n, z in zip(size, wanted, strict=True))

    def follow(self, leader: AbstractResizer) -> None:
        """Take over from the leader of its group whatever decides the size that it gives."""
        self.stride = leader.stride
        self.smallest, self.largest = leader.smallest, leader.largest

    def strides(self) -> tuple[float, ...]:
        """The stride as Python floats, one an axis.

        An accelerator is asked again only after the stride has changed: asking waits for all
        that it has still to do.

        Raises:
            InvalidResizer: training has made it something that is no stride.
        """
        if self.stride.device.type == "cpu":
            return self._fetched()
        state = (self.stride.data_ptr(), self.stride.dtype, self.stride._version)
        known = _on_host.get(self.stride)
        if known is None or known[0] != state:
            known = (state, self._fetched())
            _on_host[self.stride] = known
        return known[1]

    def _fetched(self) -> tuple[float, ...]:
        numbers = _numbers(self.stride, self.rank)
        if not all(0 < s < math.inf for s in numbers):
            raise InvalidResizer(
                type(self).__name__,
                f"its stride has become {numbers}",
                "A stride is positive and finite: lower its learning rate (arch_lr) or λ, and call "
                "clip_strides() of the space after each step",
            )
        return numbers

    @torch.no_grad()
    def clip_stride(self, size: Extent) -> None:
        """Bring the stride to where the soft size of a map of `size` is within its bounds.

        At a bound and beyond it the gradient is zero and the stride would never come back; just
        inside it flows.
        """
        for axis in range(self.stride.numel()):
            least = min(self.smallest[axis], size[axis]) * 1.001
            most = self.largest[axis] - 0.1  # rounds to the largest all the same
            low, high = size[axis] / most, size[axis] / least
            self.stride[axis].clamp_(low, max(low, high))

    @torch.no_grad()
    def stride_for(self, size: Extent, wanted: Extent) -> tuple[float, ...] | None:
        """A stride under which a map of `size` gets the size `wanted`; None if there is none.

        Well inside all strides that do: the geometric mean of the least and the greatest of them.
        The operator's own stride is left as it is.
        """
        before = self.stride.detach().clone()
        try:
            found = [self._axis_stride(axis, size, wanted[axis]) for axis in range(self.rank)]
            whole = tuple(stride for stride in found if stride is not None)
            self.stride.copy_(torch.tensor(whole) if len(whole) == self.rank else before)
            fits = len(whole) == self.rank and self.hard_size(size) == wanted
        finally:
            self.stride.copy_(before)
        return whole if fits else None

    def _axis_stride(self, axis: int, size: Extent, wanted: int) -> float | None:
        """That of one axis: the hard size never grows with the stride."""
        ends = []
        for least in (wanted, wanted - 1):  # the strides from which on it is that small
            low, high = 1 / 64, 64.0 * size[axis]
            for _ in range(48):
                middle = math.sqrt(low * high)
                self.stride[axis] = middle
                low, high = (low, middle) if self.hard_size(size)[axis] <= least else (middle, high)
            ends.append(high)
        middle = math.sqrt(ends[0] * min(ends[1], 4 * ends[0]))
        exact = size[axis] / wanted  # where the soft size is the wanted one itself
        for stride in (exact, middle):
            self.stride[axis] = stride
            if self.hard_size(size)[axis] == wanted:
                return stride
        return None

    def check_map(self, x: Tensor) -> Extent:
        """Pixels of a map by axis, (H, W).

        Raises:
            InvalidResizer: not a floating-point (N, C, H, W) with a pixel.
        """
        if x.dim() == self.rank + 2 and x.is_floating_point() and 0 not in x.shape[2:]:
            return tuple(x.shape[2:])
        shape = ("N, C, L", "N, C, H, W", "N, C, D, H, W")[self.rank - 1]
        raise InvalidResizer(
            type(self).__name__,
            f"it was given {x.dtype} of shape {tuple(x.shape)}",
            f"It resizes floating-point maps ({shape}) of at least 1 pixel an axis",
        )

    def extra_repr(self) -> str:
        """The stride, in the module's repr."""
        return f"stride=({', '.join(f'{s:.4g}' for s in _numbers(self.stride, self.rank))})"


ENTRY = AbstractResizer


def constant(values: tuple[float, ...], like: Tensor) -> Tensor:
    """`like.new_tensor(values)`; kept on an accelerator: a copy waits for all it has to do."""
    if like.device.type == "cpu" or torch.compiler.is_compiling():
        return like.new_tensor(values)
    return _kept_constant(values, like.dtype, like.device)


@lru_cache(maxsize=1024)
def _kept_constant(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    with torch.inference_mode(False):  # of use in training whoever asked for it first
        return torch.tensor(values, dtype=dtype, device=device)


def round_half_even(size: tuple[float, ...]) -> Extent:
    """Nearest integers, halves to the even one: Python's round, and DynOPool's."""
    return tuple(map(round, size))


def round_down(size: float) -> int:
    """The integer below, or the one just above that the stride's float32 rounding has missed.

    The stride of 16 to 5 pixels is 3.2, of which float32 makes 3.2000000477: 16 / 3.2 is 5.
    """
    return math.floor(size * (1 + 1e-6))


def _numbers(stride: Tensor, rank: int) -> tuple[float, ...]:
    return tuple(stride.detach().double().expand(rank).tolist())
