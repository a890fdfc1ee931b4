"""How a backbone is best trained; what a user does not say comes from here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """Settings of SGD with Nesterov momentum 0.9 and a cosine schedule at batch size 64 to 128.

    Attributes:
        lr: learning rate of the weights at the start of the schedule.
        weight_decay: of the weights.
        about: one line for whoever chooses a backbone.
        dense: whether it tells the class of every pixel, (N, num_classes, H, W), not of the image.
    """

    lr: float
    weight_decay: float
    about: str
    dense: bool = False
