"""What resizing itself costs."""

from __future__ import annotations

import torch
from torch import nn

from resnas.polynomial import Polynomial
from resnas.resizers._base import AbstractResizer
from resnas.space import SearchSpace


@torch.no_grad()
def resizing(space: SearchSpace) -> int:
    """Multiply-accumulates that the resizers of a space take themselves, for one sample."""
    found: list[int] = []

    def count(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        assert isinstance(module, AbstractResizer)
        entering = inputs[0].shape
        size_in, size_out = tuple(entering[2:]), tuple(output.shape[2:])
        found.append(Polynomial.of(module.macs(entering[1], size_in, size_out)).value([]))

    hooks = [
        module.register_forward_hook(count)
        for module in space.modules()
        if isinstance(module, AbstractResizer)
    ]
    space.eval()(torch.zeros(1, *space.input_size))
    for hook in hooks:
        hook.remove()
    return sum(found)
