"""Computing the sizes of a converted graph from its strides, with gradients."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from resnas.graph.variables import Program, Window
from resnas.polynomial import Dim, Polynomial
from resnas.resizers._base import AbstractResizer
from resnas.results import Size


@dataclass(frozen=True)
class Evaluation:
    """All variables of a program at the present strides.

    Attributes:
        integers: the hard sizes.
        tensors: the same values, (number of variables,) float64 on the CPU, through which
            gradients flow to the strides.
    """

    integers: list[int]
    tensors: Tensor


def integers(
    program: Program,
    module: nn.Module,
    visit: Callable[[AbstractResizer, Size], None] | None = None,
) -> list[int]:
    """All variables at the present strides, as integers only.

    Args:
        program: of the graph.
        module: where its resizers are.
        visit: called with every leader and the (H, W) that enters it, before its size is asked.
    """
    found: list[int] = []
    for step in program.steps:
        if isinstance(step, Window):
            found.append(step.value(step.size.value(found)))
            continue
        resizer = module.get_submodule(step.leader)
        assert isinstance(resizer, AbstractResizer)
        height, width = (Polynomial.of(dim).value(found) for dim in step.size)
        if visit is not None:
            visit(resizer, (height, width))
        found += resizer.hard_size((height, width))
    return found


def reach(
    program: Program, module: nn.Module, learnable: Collection[nn.Parameter]
) -> list[tuple[int, int]]:
    """The smallest and the largest that every variable becomes, at the ends of all strides.

    Args:
        program: of the graph.
        module: where its resizers are; it is left as it is.
        learnable: the strides that change.
    """
    # a stride that a forward pass has kept for its backward must not be written to
    strides = {id(s): nn.Parameter(s.detach().clone(), requires_grad=False) for s in learnable}
    apart, memo = nn.Module(), dict[int, object](strides)
    for name in {step.leader for step in program.steps if not isinstance(step, Window)}:
        apart.add_module(name, copy.deepcopy(module.get_submodule(name), memo))
    ends = []
    for extreme in (1e6, 1e-6):
        for stride in strides.values():
            stride.fill_(extreme)
        ends.append(integers(program, apart))
    return [(min(pair), max(pair)) for pair in zip(*ends, strict=True)]


def evaluate(program: Program, module: nn.Module) -> Evaluation:
    """Run the program: integers by each operator's own rule, gradients straight through.

    A window's floor passes the gradient as if it were division by its stride; a resizer's hard
    size passes it to its soft size, and from there to its stride and to the size it was given.
    """
    integers: list[int] = []
    tensors: list[Tensor] = []

    def soft(dim: Dim) -> Tensor:
        polynomial = Polynomial.of(dim)
        value = torch.tensor(float(polynomial.terms.get((), 0)), dtype=torch.float64)
        for key, factor in polynomial.terms.items():
            if key:
                (variable,) = key
                value = value + factor * tensors[variable]
        return value

    for step in program.steps:
        if isinstance(step, Window):
            hard = step.value(step.size.value(integers))
            slope = soft(step.size) / step.stride
            integers.append(hard)
            tensors.append(hard + (slope - slope.detach()))
            continue
        resizer = module.get_submodule(step.leader)
        assert isinstance(resizer, AbstractResizer)
        height, width = (Polynomial.of(dim).value(integers) for dim in step.size)
        wanted = resizer.soft_size(torch.stack([soft(dim) for dim in step.size]))
        new = resizer.hard_size((height, width))
        straight = wanted.new_tensor(new) + (wanted - wanted.detach())
        integers += new
        tensors += straight.unbind()
    stacked = torch.stack(tensors) if tensors else torch.zeros(0, dtype=torch.float64)
    return Evaluation(integers, stacked)
