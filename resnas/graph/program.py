"""Computing the sizes of a converted graph from its strides, with gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, fx

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

    def total(self, polynomial: Polynomial) -> Tensor:
        """The value of a polynomial, 0-dim float64: exact below 2**53, differentiable."""
        keys = list(polynomial.terms)
        degree = max(map(len, keys), default=0)
        ones = len(self.integers)  # index of a variable that is 1, to pad shorter monomials
        index = torch.tensor([[*key, *[ones] * (degree - len(key))] for key in keys])
        factors = torch.tensor(list(polynomial.terms.values()), dtype=torch.float64)
        values = torch.cat((self.tensors, self.tensors.new_ones(1)))
        if degree == 0:
            return factors.sum()
        return (values[index.view(-1, degree)].prod(dim=1) * factors).sum()


def integers(
    program: Program,
    module: fx.GraphModule,
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


def evaluate(program: Program, module: fx.GraphModule) -> Evaluation:
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
