"""What every controller states: how one training is steered towards its cost."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from resnas.relaxation import Relaxation
from resnas.results import Plan, TrialResult
from resnas.space import SearchSpace


class AbstractController:
    """Acts inside one training, on the strides of its space.

    `before_step` comes before every forward pass, `gather` behind its backward, `after_step` behind
    the optimisers' step; `settle` once, when the search ends, `rest` before every measurement.

    Args:
        space: what is trained; its sizes may be changed at once.
        plan: what the trial is to try.
        start: the trial that this one goes on from, if any; the space has its weights.

    Attributes:
        learns: whether sizes are learned; if not, the whole training settles.
        shares: whether the weights serve several sizes, so that batch statistics have to be
            computed anew for those that are measured.
    """

    learns: ClassVar[bool] = True
    shares: ClassVar[bool] = False

    def __init__(self, space: SearchSpace, plan: Plan, start: TrialResult | None = None) -> None:
        self.space = space
        self.plan = plan
        self.start = start
        if plan.sizes and plan.budget_gmacs is None:
            space.set_sizes(plan.sizes)
        elif plan.sizes:
            Relaxation(space).set_proportions(plan.sizes)

    def parameters(self) -> list[nn.Parameter]:
        """What the strides' optimiser moves."""
        return self.space.arch_parameters()

    def before_step(self, generator: torch.Generator) -> None:
        """Give the space the sizes to train at: those it has."""

    def loss(self, task: Tensor) -> Tensor:
        """The loss to descend while sizes are learned, from the task's own (0-dim)."""
        return task

    def gather(self) -> None:
        """Behind a backward pass: bring the strides' gradients to `parameters`."""

    def after_step(self) -> None:
        """Behind every step of the strides' optimiser."""

    def settle(self) -> None:
        """Once, when the sizes are about to be fixed."""

    def rest(self) -> None:
        """Give the space the sizes that it is to be measured at."""

    def state(self) -> dict[str, Tensor]:
        """What has to be kept, beside `parameters` and the space, to go on after an interruption.

        The tensors themselves: a state is restored by writing into them.
        """
        return {}

    def learned(self) -> dict[str, list[float]]:
        """What later trials may begin with, beside the weights and the architecture."""
        return {}


ENTRY = AbstractController
