"""What the tables of the DynOPool thesis share (D.-H. Jang, Seoul National University, 2023)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from search_spaces.recipes._recipe import Published, Recipe, Row, Size, Training

THESIS = "D.-H. Jang, Pooling revisited: your receptive field is suboptimal, 2023"

CIFAR = Training(epochs=250, batch_size=128, lr=0.1, weight_decay=5e-4)
AIRCRAFT = Training(epochs=250, batch_size=8, lr=0.01, weight_decay=5e-4)
IMAGENET = Training(epochs=100, batch_size=256, lr=0.1, weight_decay=1e-4)
"""Shape Adaptor's settings, which the thesis takes over; 250 epochs are its own (200 for human
designs, and 100 on ImageNet)."""

HUMAN_EPOCHS = 200

OURS: Mapping[str, str] = {
    "budget_gmacs": "no λ is given, so a training lands on the published GMACs",
    "arch_lr": "the text has it lower than the weights' and gives no number",
    "warmup": "not mentioned; the first tenth, as everywhere in this program",
    "settle": "not mentioned; sizes are whole from 60 % of the epochs on, as everywhere here",
    "arch steps": "Shape Adaptor moves sizes every 20th step; here at every one",
    "best epoch": "Shape Adaptor reports its best epoch on the test set; here it is the last one",
}

RAISED = (
    "the thesis raises the first scale factor of ResNet-50 for this row and does not say how far: "
    "here to 1, so that its maps start at twice the human size before they come onto the budget"
)

COUNTER = (
    "GMACs of the thesis are by another counter: at its own sizes this one gives 1 to 2 % less, "
    "for MobileNetV2 about 10 %"
)


def mobile(training: Training) -> Training:
    """The settings for MobileNetV2."""
    lr = 0.05 if training is IMAGENET else training.lr
    return replace(training, weight_decay=4e-5, lr=lr)


def human(published: Published, training: Training) -> Row:
    """The network as its authors made it."""
    epochs = training.epochs if training.epochs < HUMAN_EPOCHS else HUMAN_EPOCHS
    return Row("human", "strided", published, training=replace(training, epochs=epochs))


def dynopool(
    label: str,
    accuracy: float | None,
    gmacs: float,
    sizes: Sequence[Size] = (),
    starts: Mapping[str, Size] | None = None,
) -> Row:
    """DynOPool at its published cost."""
    return Row(
        label,
        "dynopool",
        Published(accuracy=accuracy, gmacs=gmacs, sizes=tuple(sizes)),
        controller="projection",
        budget_gmacs=gmacs,
        place="after",
        sizes=starts or {},
    )


def table_5_1(
    network: str,
    backbone: str,
    data: tuple[str, str],
    training: Training,
    figures: tuple[Published, Row, Row],
    ours: Mapping[str, str] | None = None,
) -> Recipe:
    """One cell of table 5.1: the human design, DynOPool-S and DynOPool-B.

    Args:
        network: its name in the table.
        backbone: its name here.
        data: names of the data set in the table and here.
        training: of DynOPool.
        figures: of the human design, and the two other rows.
        ours: what was chosen for this cell alone.
    """
    first, small, big = figures
    return Recipe(
        title=f"{network} on {data[0]}: human design, DynOPool-S and DynOPool-B",
        source=f"{THESIS}, table 5.1",
        backbone=backbone,
        dataset=data[1],
        training=training,
        rows=(human(first, training), small, big),
        ours={**OURS, **(ours or {})},
        remarks=(COUNTER,),
    )
