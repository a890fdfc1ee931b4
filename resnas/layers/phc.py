"""Parameterised hypercomplex convolution: the same operation from 1/n of the weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar, Self, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnas.errors import InvalidLayer
from resnas.layers._base import (
    AbstractLayer,
    Original,
    Settings,
    check_map,
    is_convolution,
    least_map,
)


@final
class PHConv2d(AbstractLayer):
    """Parameterised hypercomplex convolution: a sum of n Kronecker products makes its weight.

    `weight = Σ_s kron(A[s], F[s])`, that is `weight[a·O+p, b·I+q] = Σ_s A[s,a,b] · F[s,p,q]` with
    O = out/n and I = in/n: `A` says how n groups of channels mix (n = 4 can learn the quaternions'
    rule), `F` holds n small banks of kernels. It has n³ + out·in·k²/n weights, about 1/n of the
    convolution that it computes as; multiply-accumulates stay the same, as the weight is made once
    a call and not once a sample.

    Both start uniform as `xavier_uniform` has it for tensors of their shapes, which is what the
    authors' code does: |A| ≤ √3 / n, |F| ≤ √(6 / ((O·I + n·I)·k²)). The bias starts within
    ±1/√in. The authors create a bias and never add it; `compat=True` reproduces that.

    Args:
        in_channels: of the map that enters.
        out_channels: of the map that comes out.
        kernel_size: (vertical, horizontal), or one number for both.
        n: in how many groups channels are mixed; divides both numbers of channels.
        stride: as for `nn.Conv2d`.
        padding: as for `nn.Conv2d`; with zeros.
        compat: do not add the bias.
        dilation: as for `nn.Conv2d`.
        bias: whether there is one.

    Shape:
        (N, in_channels, H, W) to (N, out_channels, H', W'), sizes as of `nn.Conv2d`.

    Attributes:
        A: (n, n, n).
        F: (n, out/n, in/n, k, k).
        bias: (out,) or None.

    Raises:
        InvalidLayer: n does not divide the channels; or a map of another form is given.

    >>> layer = PHConv2d(8, 16, 3, n=4, stride=2, padding=1)
    >>> layer(torch.zeros(1, 8, 32, 32)).shape
    torch.Size([1, 16, 16, 16])
    >>> layer.A.numel() + layer.F.numel()  # of 1152 weights
    352
    """

    computes_as = nn.Conv2d
    settings: ClassVar[Settings] = {"n": 2}

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        n: int,
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] | str = 0,
        compat: bool = False,
        *,
        dilation: int | tuple[int, int] = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        _check_channels(in_channels, out_channels, n)
        # torch's own layer knows which arguments fit together, and how they are kept
        like = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, dilation)
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, 1
        self.kernel_size, self.stride = like.kernel_size, like.stride
        self.padding, self.dilation, self.padding_mode = like.padding, like.dilation, "zeros"
        self.n, self.compat = n, compat
        kernels = (n, out_channels // n, in_channels // n, *self.kernel_size)
        self.A = nn.Parameter(torch.empty(n, n, n))
        self.F = nn.Parameter(torch.empty(kernels))
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        self._least = least_map(self)
        self.reset_parameters()

    @classmethod
    def instead_of(cls, original: Original, settings: Settings) -> Self | None:
        """For a convolution over all channels, padded with zeros; its weights start anew.

        Grouped and depthwise convolutions are left as they are: they mix no channels.
        """
        conv = original.layer
        if not is_convolution(conv):
            return None
        assert isinstance(conv, nn.Conv2d)
        if conv.groups > 1 or conv.padding_mode != "zeros":
            return None
        v, h = conv.kernel_size
        return cls(
            conv.in_channels,
            conv.out_channels,
            (v, h),
            settings["n"],
            (conv.stride[0], conv.stride[1]),
            conv.padding if isinstance(conv.padding, str) else (conv.padding[0], conv.padding[1]),
            dilation=(conv.dilation[0], conv.dilation[1]),
            bias=conv.bias is not None,
        )

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        nn.init.xavier_uniform_(self.A)
        nn.init.xavier_uniform_(self.F)
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_channels)
            nn.init.uniform_(self.bias, -bound, bound)

    @property
    def weight(self) -> Tensor:
        """(out, in, k, k), made of A and F; gradients reach both."""
        products = torch.einsum("sab,spqkl->apbqkl", self.A, self.F)
        return products.reshape(self.out_channels, self.in_channels, *self.kernel_size)

    def forward(self, x: Tensor) -> Tensor:
        """The convolution of `x` (N, in_channels, H, W) with `weight`, plus the bias."""
        check_map(self, x, self.in_channels, self._least)
        bias = None if self.compat else self.bias
        return F.conv2d(x, self.weight, bias, self.stride, self.padding, self.dilation)

    def extra_repr(self) -> str:
        """The geometry, in the module's repr."""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, n={self.n}, "
            f"stride={self.stride}, padding={self.padding}"
        )

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Hand over F as a stack of kernels: channels_last is refused for five axes."""

        def apply(tensor: Tensor) -> Tensor:
            if tensor.dim() != 5:
                return fn(tensor)
            return fn(tensor.flatten(0, 1)).contiguous().view(tensor.shape)

        super()._apply(apply, recurse)  # type: ignore[no-untyped-call]
        return self


def _check_channels(in_channels: int, out_channels: int, n: int) -> None:
    if n < 1:
        raise InvalidLayer("PHConv2d", f"n is {n}", "Pass n = 1 or more")
    if in_channels % n or out_channels % n:
        both = math.gcd(in_channels, out_channels)
        fits = ", ".join(str(m) for m in range(1, both + 1) if both % m == 0)
        raise InvalidLayer(
            "PHConv2d",
            f"n={n} does not divide both its {in_channels} input and {out_channels} output "
            "channels",
            f"It may be {fits}",
        )
