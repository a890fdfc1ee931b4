"""DynOPool: max pooling over four bilinear samples of every cell of a learned grid.

Jung et al., Pooling Revisited: Your Receptive Field is Suboptimal, CVPR 2022 (arXiv 2205.15254).

The output has H' = round(H / stride) rows. Each output cell is sampled at four points, a quarter of
a cell away from its centre on either side, and takes the largest of the four. These points are the
pixel centres of a regular 2H' x 2W' grid (`align_corners=False`), so the forward pass is bilinear
interpolation to that grid and 2 x 2 max pooling; at stride 2 on even maps it is max pooling itself.

The stride's gradient: the value at the point that survived the maximum changes with the point's
position, and the position with H' (and W'), which straight-through estimation takes as real.
"""

from __future__ import annotations

from typing import Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable

from resnas.errors import InvalidResizer
from resnas.polynomial import Dim
from resnas.resizers._base import AbstractResizer, Extent, Site, round_half_even

Gradient = Literal["delta", "full"]


class DynOPool(AbstractResizer):
    """Max of four bilinear samples a cell, on a grid of learned size.

    Args:
        stride: input size / output size, (vertical, horizontal); below 1 enlarges.
        gradient: what moves with the stride in the backward pass. "delta": the four points'
            distance from their cell's centre (what the paper argues with, eq. 4.5). "full": the
            centres as well, a far larger and noisier gradient.

    Raises:
        InvalidResizer: a stride that is not positive and finite, or an unknown `gradient`.
    """

    place = "after"

    def __init__(
        self, stride: tuple[float, float] = (2.0, 2.0), gradient: Gradient = "delta"
    ) -> None:
        super().__init__(stride)
        if gradient not in ("delta", "full"):
            raise InvalidResizer(
                f"DynOPool(gradient={gradient!r})",
                "there is no such gradient",
                "Choose 'delta' or 'full'",
            )
        self.gradient = gradient

    def soft_size(self, size: Tensor, lead: Tensor | None = None) -> Tensor:
        """max(leader's size / stride, 1.5), eq. 4.4 of the thesis."""
        return self.target(size, lead)

    def hard_size(self, size: Extent, lead: Extent | None = None) -> Extent:
        """The soft size rounded, halves to the even integer."""
        return round_half_even(self.hard_target(size, lead))

    def forward(self, x: Tensor, lead: Tensor | None = None) -> Tensor:
        """Resize `x` (N, C, H, W) to (N, C, H', W')."""
        size = self.check_map(x)
        lead_size = None if lead is None else self.check_map(lead)
        hard = self.hard_size(size, lead_size)
        if not (self.stride.requires_grad and torch.is_grad_enabled()):
            return _pool(x, hard)
        soft = self.soft_size(
            self.stride.new_tensor(size),
            None if lead_size is None else self.stride.new_tensor(lead_size),
        )
        pixels = _arranged(x)
        pooled, survivors = F.max_pool2d(_doubled(pixels, hard), 2, return_indices=True)
        result: Tensor = _MovingPoints.apply(
            pooled, soft, pixels.detach(), survivors, self.gradient
        )
        return _like(result, x)

    @classmethod
    def from_site(cls, site: Site) -> Self:
        """Start at the human size; a human size below 2 pixels lowers the bound of 1.5 with it."""
        v, h = (n / m for n, m in zip(site.size_in, site.size_out, strict=True))
        resizer = cls(stride=(v, h))
        least_v, least_h = (min(1.5, 0.75 * m) for m in site.size_out)
        resizer.smallest = (least_v, least_h)
        if resizer.hard_size(site.size_in) != tuple(site.size_out):
            raise InvalidResizer(
                f"DynOPool at {site.name}",
                f"it makes {resizer.hard_size(site.size_in)} of {site.size_in} "
                f"where the backbone has {site.size_out}",
                "Leave this site out (sites=...) or choose another resizer",
            )
        return resizer

    def fixed(self, size: Extent, lead: Extent | None = None) -> nn.Module:
        """`nn.MaxPool2d(2)` where that is what it does; else interpolation, then that."""
        hard = self.hard_size(size, lead)
        return nn.MaxPool2d(2) if _halves(size, hard) else _FixedDynOPool(hard)

    def macs(self, channels: int, size_in: tuple[Dim, ...], size_out: tuple[Dim, ...]) -> Dim:
        """4 for each of the 2H' x 2W' interpolated values; comparisons are not counted."""
        del size_in
        return 16 * channels * size_out[0] * size_out[1]


class _FixedDynOPool(nn.Module):
    """DynOPool at one output size."""

    def __init__(self, size: Extent) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        return _pool(x, self.size)

    def extra_repr(self) -> str:
        return f"size={self.size}"


class _MovingPoints(torch.autograd.Function):
    """The identity on the pooled map; its backward adds the size's gradient.

    The map's own gradient stays with the library's kernels. Only the points that survived the
    maximum are looked at again: a quarter of those that were sampled.
    """

    @staticmethod
    def forward(
        ctx: FunctionCtx,
        pooled: Tensor,
        size: Tensor,
        x: Tensor,
        survivors: Tensor,
        gradient: Gradient,
    ) -> Tensor:
        ctx.save_for_backward(x, survivors)
        ctx.size_like = size.detach()  # type: ignore[attr-defined]
        ctx.gradient = gradient  # type: ignore[attr-defined]
        return pooled.view_as(pooled)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor, Tensor | None, None, None, None]:
        x, survivors = ctx.saved_tensors  # type: ignore[attr-defined]
        if not x.is_contiguous():
            grad = grad.contiguous(memory_format=torch.channels_last)
        grad_size = None
        if ctx.needs_input_grad[1]:  # type: ignore[attr-defined]
            moved = _size_gradient(x, survivors, grad, ctx.gradient)  # type: ignore[attr-defined]
            grad_size = moved.to(ctx.size_like)  # type: ignore[attr-defined]
        return grad, grad_size, None, None, None


def _halves(size: Extent, hard: Extent) -> bool:
    return (2 * hard[0], 2 * hard[1]) == tuple(size)


def _doubled(x: Tensor, hard: Extent) -> Tensor:
    """The map at the points of all cells, (N, C, 2H', 2W'); at exactly half size, the map."""
    if _halves((x.shape[2], x.shape[3]), hard):
        return x
    points = (2 * hard[0], 2 * hard[1])
    return F.interpolate(x, points, mode="bilinear", align_corners=False)


def _pool(x: Tensor, hard: Extent) -> Tensor:
    return _like(F.max_pool2d(_doubled(_arranged(x), hard), 2), x)


def _arranged(x: Tensor) -> Tensor:
    """On a CPU with channels innermost: its interpolation is several times as fast there."""
    return x.contiguous(memory_format=torch.channels_last) if x.device.type == "cpu" else x


def _like(result: Tensor, x: Tensor) -> Tensor:
    """`result` in the memory format of `x`."""
    return result.contiguous() if x.is_contiguous() else result


def _size_gradient(x: Tensor, survivors: Tensor, grad: Tensor, gradient: Gradient) -> Tensor:
    """dloss/d(H', W'), (2,), from the four pixels around every surviving point.

    Args:
        x: (N, C, H, W), the map that was sampled.
        survivors: (N, C, H', W'), flat index into the doubled grid of the point that won.
        grad: (N, C, H', W'), dloss/doutput.
        gradient: what moves with the size.
    """
    height, width = x.shape[2:]
    exact = torch.promote_types(x.dtype, torch.float32)  # half-precision sums lose the gradient
    row, row_part, row_speed = _points(height, survivors.shape[2], gradient, x.device, exact)
    col, col_part, col_speed = _points(width, survivors.shape[3], gradient, x.device, exact)
    grid = (len(row), len(col))
    tables = (
        row[:, None] * width + col,
        *(t[:, None].expand(grid) for t in (row_part, row_speed)),
        *(t.expand(grid) for t in (col_part, col_speed)),
    )
    flat = tuple(t.reshape(-1) for t in tables)
    step = (width * (height > 1), int(width > 1))
    axis = 2 if x.is_contiguous() else 1
    pixels, won, grad = (_planes(t, axis) for t in (x, survivors, grad))
    total = torch.zeros(2, device=x.device, dtype=exact)
    portion = _portion(grad)
    for start in range(0, len(grad), portion):
        some = slice(start, start + portion)
        total += _portion_gradient(pixels[some], won[some], grad[some], flat, step, axis)
    return total


def _portion(grad: Tensor) -> int:
    """Samples at a time: all on an accelerator, on a CPU as many as its cache holds."""
    samples = 2**16 // max(1, grad.shape[1:].numel()) if grad.device.type == "cpu" else len(grad)
    return max(1, samples)


def _portion_gradient(
    pixels: Tensor,
    won: Tensor,
    grad: Tensor,
    tables: tuple[Tensor, ...],
    step: tuple[int, int],
    axis: int,
) -> Tensor:
    """`_size_gradient` of some samples, with all pixels as one axis and tables by flat index."""
    first, row_part, row_speed, col_part, col_speed = (table.take(won) for table in tables)
    (down, right), count, grad = step, pixels.shape[axis], grad.to(row_part.dtype)
    a, b, c, d = (
        pixels.narrow(axis, skip, count - skip).gather(axis, first).to(grad.dtype)
        for skip in (0, right, down, down + right)
    )
    along_rows = torch.lerp(c - a, d - b, col_part) * row_speed
    along_cols = torch.lerp(b - a, d - c, row_part) * col_speed
    return torch.stack([(along_rows * grad).sum(), (along_cols * grad).sum()])


def _points(
    n: int, cells: int, gradient: Gradient, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, Tensor, Tensor]:
    """Where the 2 * cells points of one axis lie among n pixels, and how fast they move.

    Returns:
        First of the two pixels around each point, the part of the way to the second (0 to 1), and
        dposition/dcells: 0 where the border holds the point.
    """
    point = torch.arange(2 * cells, device=device, dtype=torch.float64)
    position = (point + 0.5) * (n / (2 * cells)) - 0.5
    if gradient == "full":
        speed = -(point + 0.5) * (n / (2 * cells**2))
    else:  # centre -+ n / (4 cells): even points before it, odd ones behind
        speed = (1 - 2 * (point % 2)) * (n / (4 * cells**2))
    speed = torch.where((position > 0) & (position < n - 1), speed, 0.0)
    position = position.clamp(0, n - 1)
    # The last pixel is the whole way from its predecessor, so that there always is a second one.
    first = position.floor().clamp(max=max(n - 2, 0))
    return first.long(), (position - first).to(dtype), speed.to(dtype)


def _planes(x: Tensor, axis: int) -> Tensor:
    """(N, C, H, W) with its pixels as one axis: (N, C, H * W), or (N, H * W, C) for axis 1.

    The second is a view of a channels_last map, as the first is of a contiguous one.
    """
    return x.flatten(2) if axis == 2 else x.permute(0, 2, 3, 1).flatten(1, 2)
