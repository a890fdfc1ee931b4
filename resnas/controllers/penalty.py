"""The cost as a penalty in the loss."""

from __future__ import annotations

from typing import final

from torch import Tensor

from resnas.controllers._base import AbstractController


@final
class Penalty(AbstractController):
    """`loss = task + λ · GMACs` (eq. 4.8 of the DynOPool thesis); where it lands, λ decides."""

    def loss(self, task: Tensor) -> Tensor:
        """The task's loss and λ times the GMACs of one sample."""
        gmacs = self.space.cost("macs") / 1e9
        return task + self.lam * gmacs.to(task.device, task.dtype)

    def after_step(self) -> None:
        """Keep the strides where gradients reach them."""
        self.space.clip_strides()

    def settle(self) -> None:
        """Nothing: the integers are those that the last step left."""
