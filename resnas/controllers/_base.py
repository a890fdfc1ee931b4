"""What every controller states: how one training is steered towards its cost."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from resnas.space import SearchSpace


class AbstractController(ABC):
    """Acts inside one training, on the strides of its space.

    Args:
        space: what is trained.
        lam: λ, weight of GMACs in the loss, per GMAC.
    """

    def __init__(self, space: SearchSpace, lam: float) -> None:
        self.space = space
        self.lam = lam

    @abstractmethod
    def loss(self, task: Tensor) -> Tensor:
        """The loss to descend while strides learn, from the task's own (0-dim)."""

    @abstractmethod
    def after_step(self) -> None:
        """Called behind every step of the strides' optimiser."""

    @abstractmethod
    def settle(self) -> None:
        """Called once, when the sizes are about to be fixed."""


ENTRY = AbstractController
