"""The cost as a penalty in the loss."""

from __future__ import annotations

from typing import final

from torch import Tensor

from resnas.controllers._base import AbstractController
from resnas.errors import InvalidSpec
from resnas.results import Plan, TrialResult
from resnas.space import SearchSpace


@final
class Penalty(AbstractController):
    """`loss = task + λ · GMACs` (eq. 4.8 of the DynOPool thesis); where it lands, λ decides.

    Raises:
        InvalidSpec: the plan has no λ.
    """

    def __init__(self, space: SearchSpace, plan: Plan, start: TrialResult | None = None) -> None:
        super().__init__(space, plan, start)
        if plan.lam is None:
            raise InvalidSpec("lam", "a penalty needs its weight λ", "Give lam, per GMAC")
        self.lam = plan.lam

    def loss(self, task: Tensor) -> Tensor:
        """The task's loss and λ times the GMACs of one sample."""
        gmacs = self.space.cost("macs") / 1e9
        return task + self.lam * gmacs.to(task.device, task.dtype)

    def after_step(self) -> None:
        """Keep the strides where gradients reach them."""
        self.space.clip_strides()
