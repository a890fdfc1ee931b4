"""What a network computes, counted by others, beside our rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from resnas.costs._fvcore import fvcore_counts
from resnas.costs.macs import Macs
from resnas.polynomial import Polynomial
from resnas.resizers._base import AbstractResizer
from resnas.space import SearchSpace

ROWS = {"conv", "linear", "matmul", "einsum"}
"""fvcore's operators that are matrix products."""


INTERPOLATING = {"Upsample", "ToSize"}
"""Layers whose rows torch's counter does not have."""


class Failed(Exception):
    """Something is not as it has to be."""


def products(model: nn.Module, x: Tensor) -> int:
    """Matrix products by torch's own counter."""
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad(), _without_gradients(model):
        model(x)
    return int(counter.get_total_flops()) // 2


@contextmanager
def _without_gradients(model: nn.Module) -> Iterator[None]:
    """torch's counter follows tensors that ask for gradients, and not all of them have a past."""
    learning = [p for p in model.parameters() if p.requires_grad]
    for parameter in learning:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)


def fvcore_products(model: nn.Module, size: tuple[int, ...]) -> int | None:
    try:
        counts = fvcore_counts(model, (size[0], size[1], size[2]))
    except Exception:  # noqa: BLE001
        return None  # it traces by torch.jit, which does not follow every network
    return sum(count for name, count in counts.items() if name in ROWS)


def fvcore_misses(model: nn.Module, x: Tensor) -> dict[str, int]:
    """Products that fvcore is known to leave out, by what they are."""
    found = {"attention": 0, "padding 'same'": 0}

    def note(conv: nn.Module, _inputs: object, output: Tensor) -> None:
        assert isinstance(conv, nn.Conv2d)
        found["padding 'same'"] += output.numel() * conv.weight[0].numel()

    hooks = [
        module.register_forward_hook(note)
        for module in model.modules()
        if isinstance(module, nn.Conv2d) and isinstance(module.padding, str)
    ]
    attention = _Attention()
    with attention, torch.no_grad():
        model(x)
    for hook in hooks:
        hook.remove()
    found["attention"] = attention.macs
    return {what: count for what, count in found.items() if count}


class _Attention(TorchFunctionMode):
    """Adds up the products of scaled dot-product attention, however torch computes them."""

    macs = 0

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func is nn.functional.scaled_dot_product_attention:
            query, key, value = args[:3]
            scores = query.shape[:-1].numel() * key.shape[-2]
            self.macs += scores * (query.shape[-1] + value.shape[-1])
        return func(*args, **(kwargs or {}))


class _Watched(fx.Interpreter):
    """Runs a graph and holds every node against what the space says of it."""

    def __init__(self, space: SearchSpace, graph: fx.GraphModule) -> None:
        super().__init__(graph)
        self.values = space._integers()
        self.operations = iter(space._operations)
        self.other: dict[str, int] = {}

    def run_node(self, n: fx.Node) -> Any:
        """One node: its shape has to be as said; a row that torch counts otherwise is noted."""
        if n.op in {"placeholder", "output"}:
            return super().run_node(n)
        operation = next(self.operations)
        counter = FlopCounterMode(display=False)
        with counter:
            result = super().run_node(n)
        if isinstance(result, Tensor):
            shape = tuple(Polynomial.of(dim).value(self.values) for dim in operation.output or ())
            if shape != tuple(result.shape):
                raise Failed(f"{operation.place} is {tuple(result.shape)}, not {shape}")
        ours = Polynomial.of(Macs().total([operation])).value(self.values)
        more = ours - int(counter.get_total_flops()) // 2
        kind = type(operation.target).__name__
        if more and kind in INTERPOLATING:
            self.other[kind] = self.other.get(kind, 0) + more
        elif more and not isinstance(operation.target, AbstractResizer):
            raise Failed(f"{operation.place} counts {more:+d} beyond torch's counter")
        return result


def other_rows(space: SearchSpace, frozen: fx.GraphModule, x: Tensor) -> dict[str, int]:
    """What our rows have beyond torch's counter, by kind of layer; resizers apart."""
    watched = _Watched(space, frozen)
    with torch.no_grad(), _without_gradients(frozen):
        watched.run(x)
    return watched.other
