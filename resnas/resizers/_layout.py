"""The order of a map's numbers in memory."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx


def arranged(x: Tensor) -> Tensor:
    """On a CPU with channels innermost: its interpolation is several times as fast there."""
    return x.contiguous(memory_format=torch.channels_last) if x.device.type == "cpu" else x


def like(result: Tensor, x: Tensor) -> Tensor:
    """`result`, which was made of `arranged(x)`, in the memory format of `x`.

    Its gradient is arranged again, for the operations before it.
    """
    if not x.is_contiguous() or result.is_contiguous():
        return result
    returned: Tensor = _Returned.apply(result)
    return returned


class _Returned(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, arranged: Tensor) -> Tensor:
        del ctx
        return arranged.contiguous()

    @staticmethod
    def backward(ctx: FunctionCtx, grad: Tensor) -> Tensor:
        del ctx
        return arranged(grad)
