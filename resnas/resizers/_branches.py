"""The two branches of a Shape Adaptor: pooling, interpolation, and their blend."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable

from resnas.resizers._base import Extent
from resnas.resizers._layout import arranged


def blend(small: Tensor, large: Tensor, share: Tensor, size: Extent) -> Tensor:
    """(1 - share) small + share large, both resized first.

    Args:
        small: (N, C, h, w), arranged.
        large: (N, C, h', w'), arranged.
        share: 0-dim, of the large branch.
        size: (H', W') of the result.
    """
    result: Tensor = _Blend.apply(small, large, share, size)
    return result


def pooled(x: Tensor, window: tuple[int, int]) -> Tensor:
    """Max pooling of windows that do not overlap."""
    return x if window == (1, 1) else F.max_pool2d(x, window)


class FixedBranches(nn.Module):
    """A Shape Adaptor at one output size.

    Args:
        size: (H', W') that comes out.
        window: of the max pooling that makes the small branch.
        weights: of the small and the large branch; one of weight 0 is not computed.
    """

    def __init__(self, size: Extent, window: tuple[int, int], weights: tuple[float, float]) -> None:
        super().__init__()
        self.size = size
        self.window = window
        self.weights = weights

    def forward(self, x: Tensor) -> Tensor:
        """Resize `x` (N, C, H, W) to (N, C, H', W')."""
        pixels = arranged(x)
        small, large = self.weights
        if small == 0:
            mixed = large * self._resized(pixels)
        else:
            mixed = small * self._resized(pooled(pixels, self.window))
            if large != 0:
                mixed = mixed + large * self._resized(pixels)
        return mixed.contiguous() if x.is_contiguous() else mixed

    def _resized(self, x: Tensor) -> Tensor:
        return x if tuple(x.shape[2:]) == tuple(self.size) else _bilinear(x, self.size)

    def extra_repr(self) -> str:
        """What it does, in the module's repr."""
        return f"size={self.size}, window={self.window}, weights={self.weights}"


class _Blend(torch.autograd.Function):
    """The blend in few passes over memory: only what the share's gradient needs is kept."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, small: Tensor, large: Tensor, share: Tensor, size: Extent
    ) -> Tensor:
        mixed, more = _bilinear(small, size), _bilinear(large, size)
        more -= mixed
        mixed.addcmul_(more, share.to(mixed))
        learns = ctx.needs_input_grad[2]  # type: ignore[attr-defined]
        ctx.save_for_backward(share, *((more,) if learns else ()))
        ctx.shapes = (small.shape, large.shape)  # type: ignore[attr-defined]
        return mixed

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor | None, ...]:
        share, *more = ctx.saved_tensors  # type: ignore[attr-defined]
        grad = arranged(grad)
        needed = ctx.needs_input_grad  # type: ignore[attr-defined]
        small, large = (
            _spread(grad, shape, weight) if wanted else None
            for shape, weight, wanted in zip(
                ctx.shapes,  # type: ignore[attr-defined]
                (1 - share, share),
                needed,
                strict=False,
            )
        )
        return small, large, _dot(grad, more[0]).to(share) if needed[2] else None, None


def _bilinear(x: Tensor, size: Extent) -> Tensor:
    """Bilinear interpolation, corner pixels on corner pixels."""
    return F.interpolate(x, size, mode="bilinear", align_corners=True)


def _spread(grad: Tensor, shape: torch.Size, weight: Tensor) -> Tensor:
    """The gradient of `weight * _bilinear(x)` in x of that shape."""
    size = list(grad.shape[2:])
    spread = torch.ops.aten.upsample_bilinear2d_backward(grad, size, list(shape), True)
    result: Tensor = spread.mul_(weight.to(spread))
    return result


def _dot(one: Tensor, other: Tensor) -> Tensor:
    """The sum of all products, in full precision: a half one would lose it."""
    exact = torch.promote_types(one.dtype, torch.float32)
    if not other.is_contiguous():  # then both are views as flat ones once channels are innermost
        one, other = (t.permute(0, 2, 3, 1) for t in (one, other))
    return torch.dot(one.reshape(-1).to(exact), other.reshape(-1).to(exact))
