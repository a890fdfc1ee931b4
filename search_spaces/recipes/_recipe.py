"""What a recipe states: a published table, and what has to be trained to have it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Size = tuple[int, int]
"""Height and width in pixels."""


@dataclass(frozen=True)
class Training:
    """How a row is trained: SGD with Nesterov momentum and a cosine schedule to zero.

    Attributes:
        epochs, batch_size: of one training.
        lr, weight_decay: of the weights; `lr` at the start of the schedule.
        arch_lr: of the strides, at the start; they have no weight decay.
        warmup, settle: shares of the epochs in which the strides do not move yet, or no more.
        momentum: of the weights.
        mixup: alpha of the Beta distribution; 0: none.
        label_smoothing: share of the label that goes to the other classes.
        augment: whether pictures are changed at random, as the data set's own rule has it.
    """

    epochs: int
    batch_size: int
    lr: float
    weight_decay: float
    arch_lr: float = 0.05
    warmup: float = 0.1
    settle: float = 0.4
    momentum: float = 0.9
    mixup: float = 0.0
    label_smoothing: float = 0.0
    augment: bool = True


@dataclass(frozen=True)
class Published:
    """The figures that a source gives for a row; None where it gives none.

    Attributes:
        accuracy: in percent.
        spread: standard deviation of the accuracy over its trainings, in percent points.
        gmacs: of one sample.
        params: in millions.
        overhead: share of the GMACs that resizing itself takes, in percent.
        sizes: (H, W) of the maps behind the resizers, in order.
    """

    accuracy: float | None = None
    spread: float | None = None
    gmacs: float | None = None
    params: float | None = None
    overhead: float | None = None
    sizes: tuple[Size, ...] = ()


@dataclass(frozen=True)
class Row:
    """One network of the table.

    Attributes:
        label: what the table calls it; no two rows of a recipe share one.
        resizer: what stands where the backbone changes its resolution.
        published: what the source reports.
        controller: what steers the sizes: "fixed" leaves them, "penalty" weighs the cost by `lam`,
            "projection" lands on `budget_gmacs`.
        lam: weight of GMACs in the loss, per GMAC.
        budget_gmacs: what one sample may cost.
        backbone: where it is not the recipe's.
        place: where a resizer stands for a strided convolution; None: as its paper has it.
        layers: replacements of other layers.
        sizes: (H, W) behind groups at the start, by the group's name; groups behind them that are
            not named keep their strides.
        picture: (H, W) that pictures are brought to first.
        training: where it is not the recipe's.
    """

    label: str
    resizer: str
    published: Published = Published()
    controller: Literal["fixed", "penalty", "projection"] = "fixed"
    lam: float | None = None
    budget_gmacs: float | None = None
    backbone: str | None = None
    place: Literal["after", "conv", "before"] | None = None
    layers: tuple[str, ...] = ()
    sizes: Mapping[str, Size] = field(default_factory=dict)
    picture: Size | None = None
    training: Training | None = None


@dataclass(frozen=True)
class Recipe:
    """A published table.

    Attributes:
        title: what it shows, in one line.
        source: document and table.
        backbone: name of the network.
        dataset: name of the data set.
        training: how its rows are trained; None: the figures are costs, which need no training.
        rows: its networks.
        ours: what the source does not state and was chosen here, each with the reason, by the name
            of a field of `Training` or `Row`, or of what no field can say.
        remarks: what to know about the published figures.
    """

    title: str
    source: str
    backbone: str
    dataset: str
    training: Training | None
    rows: tuple[Row, ...]
    ours: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
