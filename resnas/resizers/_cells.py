"""Cells of 2 points an axis over a map: their largest samples, and what moving the points does.

The arithmetic of DynOPool for signals (N, C, L), maps (N, C, H, W) and volumes (N, C, D, H, W). The
points of all H' cells are the pixel centres of a regular grid of 2H' (`align_corners=False`), so
sampling them is (bi-, tri-)linear interpolation to that grid and what a cell keeps of them is max
pooling by 2.

On a CPU interpolation is several times as fast with channels innermost, and fresh memory costs as
much as the arithmetic does: there a map is worked on in portions that fit into a cache. Channels
never mix, so a portion of a contiguous map is any number of its planes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from resnas.resizers._base import Extent

Gradient = Literal["delta", "full"]

_SAMPLINGS = {1: "linear", 2: "bilinear", 3: "trilinear"}
_CHANNELS_INNERMOST = {2: torch.channels_last, 3: torch.channels_last_3d}
_PORTION = 2**19
"""Points that are worked on at a time on a CPU, 2 MiB of float32: fewer wait for threads more often
than they save memory traffic, more leave the cache.
"""
_VECTOR = 16
"""Planes that are worked on at least: a register of the widest CPUs holds 16 float32."""


def largest_samples(x: Tensor, hard: Extent) -> Tensor:
    """The largest sample of every cell, (N, C, H', W'), by plain operations only.

    Args:
        x: (N, C, H, W).
        hard: (H', W'), the cells by axis.
    """
    pool = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}[len(hard)]
    innermost = _CHANNELS_INNERMOST.get(len(hard))
    arranged = x.contiguous(memory_format=innermost) if innermost and _on_cpu(x) else x
    result = pool(_sampled(arranged, tuple(2 * n for n in hard)), 2)
    return result.contiguous() if x.is_contiguous() else result


def learned_cells(x: Tensor, soft: Tensor, hard: Extent, gradient: Gradient) -> Tensor:
    """`largest_samples`, differentiable (once) in the map and in the real size.

    Args:
        x: (N, C, H, W).
        soft: (2,), the real size of which `hard` is the integer one.
        hard: (H', W'), the cells by axis.
        gradient: what moves with the size, see `DynOPool`.
    """
    learns = soft.requires_grad and torch.is_grad_enabled()
    if not learns and not (_on_cpu(x) and x.is_contiguous()):
        return largest_samples(x, hard)  # portions would gain nothing
    if len(hard) > 1:
        grid = _Grid(tuple(x.shape[2:]), hard, (2,) * len(hard))
        result: Tensor = _LargestSamples.apply(x, soft, grid, gradient)
        return result
    # A signal is a map of one row, which has one row of points.
    grid = _Grid((1, x.shape[2]), (1, *hard), (1, 2))
    row: Tensor = _LargestSamples.apply(x.unsqueeze(2), soft, grid, gradient)
    return row.squeeze(2)


@dataclass(frozen=True)
class _Grid:
    """Points over a map: of `size` pixels, in `cells` cells, `window` points a cell; by axis.

    Its methods take a portion of a map, (n, c, H, W).
    """

    size: Extent
    cells: Extent
    window: Extent

    @property
    def points(self) -> Extent:
        return tuple(n * w for n, w in zip(self.cells, self.window, strict=True))

    def portions(self, x: Tensor, flat: bool) -> Sequence[Tensor]:
        """Views of a map, cut alike for every map of the same (N, C).

        Args:
            x: (N, C, ...): pixels or cells.
            flat: cut by planes, as a contiguous map allows; else by samples.
        """
        if not _on_cpu(x) or not x.numel():
            return (x,)
        points = math.prod(self.points)
        if flat:
            planes = x.view(1, -1, *x.shape[2:])
            return torch.split(planes, _VECTOR * max(1, _PORTION // (_VECTOR * points)), dim=1)
        return torch.split(x, max(1, _PORTION // (x.shape[1] * points)))

    def empty(self, x: Tensor, size: Extent) -> Tensor:
        """A map of `size`, in the layout of `x`."""
        flat = x.is_contiguous()
        layout = torch.contiguous_format if flat else _CHANNELS_INNERMOST[len(size)]
        shape = (*x.shape[:2], *size)
        return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=layout)

    def pooled(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """The largest sample a cell, and where it is: flat index into the grid of points."""
        pool = F.max_pool2d if len(self.size) == 2 else F.max_pool3d
        values, survivors = pool(samples, self.window, return_indices=True)
        return values, survivors

    def unpooled(self, grad: Tensor, survivors: Tensor, innermost: bool) -> Tensor:
        """`grad` of the cells at the points that survived, zero at all others."""
        rank = len(self.size)
        back: Any = (
            torch.ops.aten.max_pool2d_with_indices_backward
            if rank == 2
            else torch.ops.aten.max_pool3d_with_indices_backward
        )
        samples = torch.empty(  # of which only the shape and the layout are looked at
            (*grad.shape[:2], *self.points),
            dtype=grad.dtype,
            device=grad.device,
            memory_format=_CHANNELS_INNERMOST[rank] if innermost else torch.contiguous_format,
        )
        still, unit = (0,) * rank, (1,) * rank
        on_points: Tensor = back(
            grad, samples, self.window, self.window, still, unit, False, survivors
        )
        return on_points

    def unsample(self, on_points: Tensor, into: Tensor) -> None:
        """Write what reaches the pixels of a gradient of the points."""
        if self.points == self.size:
            into.copy_(on_points)
            return
        back: Any = (
            torch.ops.aten.upsample_bilinear2d_backward
            if len(self.size) == 2
            else torch.ops.aten.upsample_trilinear3d_backward
        )
        arguments = (on_points, self.points, into.shape, False)
        if on_points.is_contiguous() == into.is_contiguous():
            back.grad_input(*arguments, grad_input=into)
        else:  # the kernel would first bring what lies there into the other layout
            into.copy_(back(*arguments))

    def moved(self, pixels: Tensor, on_points: Tensor, axis: int, gradient: Gradient) -> Tensor:
        """dloss/dcells of one axis, 0-dim: all points move along it, each at its own speed.

        Along an axis a sample changes by the difference of the two pixels around its point, itself
        sampled along the other axes.
        """
        n = self.size[axis]
        if n == 1:
            return on_points.new_zeros(())
        first, speed = _point_table(n, self.cells[axis], gradient, pixels.device, pixels.dtype)
        lines = _sampled(pixels, (*self.points[:axis], n, *self.points[axis + 1 :]))
        at = axis + 2
        if not pixels.is_contiguous():  # an order that the selected differences keep
            lines, on_points, at = lines.movedim(1, -1), on_points.movedim(1, -1), axis + 1
        steps = lines.narrow(at, 1, n - 1) - lines.narrow(at, 0, n - 1)
        shares = steps.index_select(at, first).mul_(on_points)
        return shares.sum([i for i in range(shares.dim()) if i != at]).dot(speed)


class _LargestSamples(torch.autograd.Function):
    """Between its passes it keeps the map and which points survived, not what was sampled."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, x: Tensor, soft: Tensor, grid: _Grid, gradient: Gradient
    ) -> Tensor:
        flat, result, survivors = x.is_contiguous(), grid.empty(x, grid.cells), []
        for pixels, into in zip(grid.portions(x, flat), grid.portions(result, flat), strict=True):
            values, won = grid.pooled(_sampled(_arranged(pixels), grid.points))
            into.copy_(values)
            survivors.append(won)
        ctx.save_for_backward(x, soft, *survivors)
        ctx.grid, ctx.gradient = grid, gradient  # type: ignore[attr-defined]
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor, Tensor | None, None, None]:
        x, soft, *survivors = ctx.saved_tensors  # type: ignore[attr-defined]
        grid, gradient = ctx.grid, ctx.gradient  # type: ignore[attr-defined]
        axes = range(len(grid.size) - len(soft), len(grid.size))
        exact = torch.promote_types(x.dtype, torch.float32)  # sums of halves lose the gradient
        flat, on_pixels = x.is_contiguous(), grid.empty(x, grid.size)
        moved: list[Tensor] = []
        grad = grad.contiguous() if flat else grad
        maps = (grid.portions(t, flat) for t in (x, grad, on_pixels))
        for pixels, g, into, where in zip(*maps, survivors, strict=True):
            pixels = _arranged(pixels)
            on_points = grid.unpooled(_arranged(g), where, not pixels.is_contiguous())
            grid.unsample(on_points, into)
            if ctx.needs_input_grad[1]:  # type: ignore[attr-defined]
                known = pixels.to(exact), on_points.to(exact)
                moved.extend(grid.moved(*known, axis, gradient) for axis in axes)
        on_soft = torch.stack(moved).view(-1, len(axes)).sum(0).to(soft) if moved else None
        return on_pixels, on_soft, None, None


def _sampled(x: Tensor, points: Extent) -> Tensor:
    """The map at the centres of a grid of `points` over it; at its own size, the map."""
    if tuple(x.shape[2:]) == points:
        return x
    return F.interpolate(x, points, mode=_SAMPLINGS[len(points)], align_corners=False)


def _on_cpu(x: Tensor) -> bool:
    return x.device.type == "cpu"


def _arranged(x: Tensor) -> Tensor:
    """A portion on a CPU with channels innermost, all else as it is."""
    innermost = _CHANNELS_INNERMOST[x.dim() - 2]
    if not _on_cpu(x) or x.is_contiguous(memory_format=innermost):
        return x
    if x.shape[2:].numel() * x.element_size() % 1024 == 0 and x.is_contiguous():
        x = _spread(x)
    return x.contiguous(memory_format=innermost)


def _spread(x: Tensor) -> Tensor:
    """A contiguous map with gaps between its planes.

    The same pixel of many planes is read together. Where these lie a power of two apart they
    displace each other from the cache: without the gaps it takes three times as long.
    """
    pixels = x.shape[2:].numel()
    lines = x.new_empty(*x.shape[:2], pixels + 64 // x.element_size())[..., :pixels]
    return lines.copy_(x.flatten(2)).view(x.shape)


@lru_cache(maxsize=256)
def _point_table(
    n: int, cells: int, gradient: Gradient, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Of the 2 * cells points of one axis over n > 1 pixels.

    Returns:
        First of the two pixels around each point, and dposition/dcells: 0 where the border holds
        the point.
    """
    point = torch.arange(2 * cells, device=device, dtype=torch.float64)
    position = (point + 0.5) * (n / (2 * cells)) - 0.5
    if gradient == "full":
        speed = -(point + 0.5) * (n / (2 * cells**2))
    else:  # centre -+ n / (4 cells): even points before it, odd ones behind
        speed = (1 - 2 * (point % 2)) * (n / (4 * cells**2))
    inside = (position > 0) & (position < n - 1)
    first = position.floor().clamp(0, n - 2).long()
    return first, torch.where(inside, speed, 0.0).to(dtype)
