"""Convolutions made of others: the same result from a map whose pixels have become channels."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from resnas.graph.windows import pair
from resnas.results import Size


def embed(conv: nn.Conv2d, block: int, shrink: Size) -> nn.Conv2d:
    """A strided convolution as one of stride 1 behind space to depth, with equal results.

    Tap u looks `dilation * u - padding` pixels beside `block * i`; that is `block * o + r` with
    0 <= r < block: it becomes tap o on the channels of phase r. All other weights are zero.

    Args:
        conv: one group, zeros around its map.
        block: its stride, or a multiple of it where a strided pool behind it is dropped.
        shrink: (rows, columns) that the result is smaller than the map behind space to depth.

    Returns:
        A convolution of in_channels * block² whose kernel is as large as it was, or, where no
        padding gives that the size (even kernels, say), the smallest that holds all taps.
    """
    padding = pair(0 if isinstance(conv.padding, str) else conv.padding)
    kernel, dilation = pair(conv.kernel_size), pair(conv.dilation)
    rows, columns = (_Axis.of(kernel[a], dilation[a], padding[a], block, shrink[a]) for a in (0, 1))
    old = conv.weight.detach()
    weight = old.new_zeros(len(old), block**2, conv.in_channels, rows.kernel, columns.kernel)
    for u, (v, row) in enumerate(rows.taps):
        for w, (h, column) in enumerate(columns.taps):
            weight[:, column * block + row, :, v, h] = old[:, :, u, w]
    made = convolution_like(conv, weight.flatten(1, 2))
    made.stride, made.dilation = (1, 1), (1, 1)
    made.padding = (rows.padding, columns.padding)
    return made


@dataclass(frozen=True)
class _Axis:
    """One axis of an embedded kernel; `taps`: of every tap of the original, (tap, phase)."""

    kernel: int
    padding: int
    taps: list[tuple[int, int]]

    @classmethod
    def of(cls, kernel: int, dilation: int, padding: int, block: int, shrink: int) -> _Axis:
        taps = [divmod(dilation * u - padding, block) for u in range(kernel)]
        least = max(0, -taps[0][0], taps[-1][0] - shrink)
        spare = kernel - 1 - shrink
        around = spare // 2 if spare % 2 == 0 and spare // 2 >= least else least
        return cls(shrink + 1 + 2 * around, around, [(o + around, phase) for o, phase in taps])


def convolution_like(conv: nn.Conv2d, weight: Tensor, groups: int = 1) -> nn.Conv2d:
    """A convolution with another weight (out, in / groups, h, w), all else alike."""
    out, each, *kernel = weight.shape
    padding = conv.padding if isinstance(conv.padding, str) else pair(conv.padding)
    made = nn.Conv2d(
        each * groups,
        out,
        (kernel[0], kernel[1]),
        stride=pair(conv.stride),
        padding=padding,
        dilation=pair(conv.dilation),
        groups=groups,
        bias=False,
        padding_mode=conv.padding_mode,
        device="meta",  # its own start of weights would draw random numbers for nothing
    )
    made.weight = parameter(weight, conv.weight)
    made.bias = conv.bias
    return made.train(conv.training)


def peculiar(layer: nn.Module) -> str | None:
    """Why a layer cannot be made anew with other weights, if so: more belongs to it than these."""
    if is_parametrized(layer):
        return "its weights are made by a parametrization"
    if layer._forward_hooks or layer._forward_pre_hooks:
        return "hooks act on it"
    return None


def parameter(values: Tensor, old: Tensor) -> nn.Parameter:
    """`values` in the place of a parameter, trained or not as that was."""
    return nn.Parameter(values.contiguous(), requires_grad=old.requires_grad)
