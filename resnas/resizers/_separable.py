"""Spectral operators applied to maps: axis by axis, forward and backward."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable

from resnas.resizers._spectrum import Operator


def resize(x: Tensor, operator: Operator, learned: tuple[Tensor, ...] = ()) -> Tensor:
    """Resize a map in its own memory format.

    Args:
        x: (N, C, *sizes) in the operator's dtype.
        operator: from `_spectrum.operator`.
        learned: the weights that a gradient shall reach, from `_spectrum.at_edges`.
    """
    last = _channels_last(x)
    maps = x.movedim(1, -1) if last else x.flatten(0, 1)
    if torch.is_grad_enabled() and any(t.requires_grad for t in (x, *learned)):
        maps = _Resize.apply(maps, operator, *learned)
    else:
        maps = _push(operator, maps, [])
    return maps.movedim(-1, 1) if last else maps.view(*x.shape[:2], *maps.shape[1:])


def precision(x: Tensor) -> torch.dtype:
    """The dtype in which matrix products with `x` are made: autocast's, or its own."""
    device = x.device.type
    if x.dtype != torch.float64 and torch.is_autocast_enabled(device):
        return torch.get_autocast_dtype(device)
    return x.dtype


class FixedSpectrum(nn.Module):
    """A spectral operator with constant matrices: plain products, which every runtime has.

    Args:
        operator: what it does.
        edge: waves for the imaginary part of each leading axis; those that the operator does not
            have are zeros, so that a cost can be stated before the sizes are known.
    """

    def __init__(self, operator: Operator, edge: int) -> None:
        super().__init__()
        self.rank = len(operator.leading) + 1
        for depth, axis in enumerate(operator.leading):
            more = 2 * edge - len(axis.odd)
            self.register_buffer(f"matrix{depth}", axis.matrix.clone())  # the operator is shared
            self.register_buffer(f"into{depth}", F.pad(axis.edge.into, (0, 0, 0, more)).clone())
            self.register_buffer(f"back{depth}", F.pad(axis.edge.outs[3] * axis.odd, (0, more)))
        for turn, matrix in enumerate(operator.last.matrices):
            self.register_buffer(f"last{turn}", matrix.clone())

    def forward(self, x: Tensor) -> Tensor:
        """Resize `x` (N, C, *sizes)."""
        last = _channels_last(x)
        maps = self._resize(x.movedim(1, -1) if last else x, 1 if last else 2)
        return maps.movedim(-1, 1) if last else maps

    def _resize(self, x: Tensor, dim: int, depth: int = 0, turn: int = 0) -> Tensor:
        if depth == self.rank - 1:
            return self._along(f"last{turn}", x, dim)
        through, edge = (self._along(f"{name}{depth}", x, dim) for name in ("matrix", "into"))
        turned = self._resize(edge, dim + 1, depth + 1, turn + 1)
        out = self._resize(through, dim + 1, depth + 1, turn)
        return out + self._along(f"back{depth}", turned, dim)

    def _along(self, name: str, x: Tensor, dim: int) -> Tensor:
        return _along(self.get_buffer(name).to(x.dtype), x, dim)


class _Resize(torch.autograd.Function):
    """`_push`, whose backward knows that only a few weights of its matrices are learned."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, operator: Operator, *learned: Tensor) -> Tensor:
        kept: list[Tensor] = []
        out = _push(operator, x, kept)
        ctx.save_for_backward(*kept)
        ctx.operator = operator  # type: ignore[attr-defined]
        ctx.learned = [(len(w), w.dtype) for w in learned]  # type: ignore[attr-defined]
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor | None, ...]:
        learned = ctx.learned  # type: ignore[attr-defined]
        sums = [grad.new_zeros(count, dtype=dtype) for count, dtype in learned]
        kept = list(ctx.saved_tensors)  # type: ignore[attr-defined]
        grad_x = _pull(ctx.operator, grad, kept, sums)  # type: ignore[attr-defined]
        return grad_x, None, *sums


def _push(
    operator: Operator, x: Tensor, kept: list[Tensor], depth: int = 0, turn: int = 0
) -> Tensor:
    """The axes from `depth` on, which is dimension depth + 1; puts into `kept` what `_pull` needs.

    The general equation of `_spectrum`; `turn` factors of -i are still to be multiplied.
    """
    dim = depth + 1
    if depth == len(operator.leading):
        kept.append(x)
        return _along(operator.last.matrices[turn], x, dim)
    axis = operator.leading[depth]
    edge = _along(axis.edge.into, x, dim)
    out = _push(operator, _along(axis.matrix, x, dim), kept, depth + 1, turn)
    turned = _push(operator, edge, kept, depth + 1, turn + 1)
    kept += (edge, turned)
    return _add_along(out, axis.edge.outs[3] * axis.odd, turned, dim)


def _pull(
    operator: Operator,
    grad: Tensor,
    kept: list[Tensor],
    sums: list[Tensor],
    depth: int = 0,
    turn: int = 0,
) -> Tensor:
    """The transposed products; empties `kept` from its end.

    With L = <grad, out> the gradient of one weight is that of <out_k^T grad, into_k x>, summed
    over all maps; it is added to `sums`, which is empty where nobody learns.
    """
    dim = depth + 1
    if depth == len(operator.leading):
        x, last = kept.pop(), operator.last
        if sums:
            sums[-1] += _between(last.edge.outs[turn].T, grad, last.edge.into, x, dim)
        return _along(last.matrices[turn].T, grad, dim)
    axis, turned, edge = operator.leading[depth], kept.pop(), kept.pop()
    back = _along(axis.edge.outs[3].T, grad, dim)
    if sums:
        sums[2 * depth + 1] += _inner(back, turned, dim)
    back *= axis.odd.view(-1, *(1,) * (grad.dim() - dim - 1))
    from_edge = _pull(operator, back, kept, sums, depth + 1, turn + 1)
    through = _pull(operator, grad, kept, sums, depth + 1, turn)
    if sums:
        sums[2 * depth] += _inner(_along(axis.edge.outs[0].T, through, dim), edge, dim)
    return _add_along(_along(axis.matrix.T, through, dim), axis.edge.into.T, from_edge, dim)


def _along(matrix: Tensor, x: Tensor, dim: int) -> Tensor:
    """`matrix` (m, n) along dimension `dim`, of n entries."""
    if dim == x.dim() - 1:
        return x @ matrix.T
    flat = torch.matmul(matrix, x.flatten(dim + 1))
    return flat.view(*flat.shape[:-1], *x.shape[dim + 1 :])


def _add_along(out: Tensor, matrix: Tensor, x: Tensor, dim: int) -> Tensor:
    """Add `_along` to `out`, which is contiguous, in place and without another pass over it."""
    maps, pixels = out.shape[:dim].numel(), out.shape[dim + 1 :].numel()
    flat = x.reshape(maps, x.shape[dim], pixels)
    out.view(maps, out.shape[dim], pixels).baddbmm_(matrix.expand(maps, -1, -1), flat)
    return out


def _between(out: Tensor, grad: Tensor, into: Tensor, x: Tensor, dim: int) -> Tensor:
    """`_inner` of `grad` along `out` and `x` along `into`."""
    if dim == x.dim() - 1:  # few waves of many pixels: as rows they are twice as fast
        grad, x, dim = grad.mT, x.mT, dim - 1
    return _inner(_along(out, grad, dim), _along(into, x, dim), dim)


def _inner(one: Tensor, other: Tensor, dim: int) -> Tensor:
    """For each frequency along `dim`, cosines and sines together: the sum of products, (E,)."""
    dims = [d for d in range(one.dim()) if d != dim]
    exact = torch.promote_types(one.dtype, torch.float32)
    return (one * other).sum(dims, dtype=exact).view(2, -1).sum(0)


def _channels_last(x: Tensor) -> bool:
    return not x.is_contiguous() and x.movedim(1, -1).is_contiguous()
