"""What the CIFAR tables of DiffStride share (R. Riad et al., Learning strides, ICLR 2022)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from search_spaces.recipes._recipe import Published, Recipe, Row, Training

PAPER = "R. Riad et al., Learning strides in convolutional neural networks, ICLR 2022"

CODE = Training(
    epochs=400,
    batch_size=128,
    lr=0.1,
    weight_decay=1e-3,
    arch_lr=0.1,
    warmup=0.0,
    settle=0.0,
    augment=False,
    mixup=0.2,
)
"""The example of the authors' repository: strides have the rate of the weights and no decay; its
L2 term of 5e-4 is a decay of 1e-3; no augmentation as it is shipped."""

OURS: Mapping[str, str] = {
    "schedule": "the code lowers the rate in steps; here it is a cosine",
    "momentum": "the code's 0.9, here with Nesterov",
}

Figures = tuple[float, float]
"""Accuracy and its standard deviation, in percent."""

OPERATORS = (("strided", "strided"), ("spectral", "spectral"), ("DiffStride", "diffstride"))


def rows(backbone: str, table: Mapping[tuple[int, int, int], Sequence[Figures]]) -> tuple[Row, ...]:
    """Each operator at each triple of initial strides of the three stages that reduce.

    Args:
        backbone: name of one that takes `strides`.
        table: figures of strided, spectral and DiffStride by initial strides.
    """
    return tuple(
        Row(
            f"{operator}, {strides}",
            resizer,
            Published(accuracy=accuracy, spread=spread),
            controller="penalty" if resizer == "diffstride" else "fixed",
            lam=0.0 if resizer == "diffstride" else None,
            backbone=f"{backbone}:strides={'+'.join(map(str, strides))}",
        )
        for strides, figures in table.items()
        for (operator, resizer), (accuracy, spread) in zip(OPERATORS, figures, strict=True)
    )


def paper(data: tuple[str, str], table: Mapping[tuple[int, int, int], Sequence[Figures]]) -> Recipe:
    """The paper's table for one data set, with its name there and here."""
    return Recipe(
        title=f"ResNet-18 on {data[0]}: strided, spectral and DiffStride by initial strides",
        source=f"{PAPER}, CIFAR table",
        backbone="preact_resnet18",
        dataset=data[1],
        training=Training(
            epochs=CODE.epochs,
            batch_size=CODE.batch_size,
            lr=CODE.lr,
            weight_decay=CODE.weight_decay,
            arch_lr=CODE.arch_lr,
            warmup=CODE.warmup,
            settle=CODE.settle,
        ),
        rows=rows("preact_resnet18", table),
        ours={
            **OURS,
            "backbone": "the paper's is post-activation, which takes no strides here",
            "epochs, batch_size, lr, weight_decay": "those of the authors' repository; the paper's "
            "own were not at hand",
            "augment": "not at hand; crops and mirroring as is usual on CIFAR",
        },
        remarks=(
            "figures as quoted from the paper by others; trained without mixup",
            "equal nominal strides are not equal costs: DiffStride keeps about 8 pixels more",
        ),
    )


def code(data: tuple[str, str], table: Mapping[tuple[int, int, int], Sequence[Figures]]) -> Recipe:
    """The repository's table for one data set, with its name there and here."""
    return Recipe(
        title=f"pre-activation ResNet-18 on {data[0]}: the figures of DiffStride's repository",
        source=f"{PAPER}, README of its code, three trainings each",
        backbone="preact_resnet18",
        dataset=data[1],
        training=CODE,
        rows=rows("preact_resnet18", table),
        ours={
            **OURS,
            "stem": "the code also has a layer of stride 1 behind the stem; here there is none",
        },
        remarks=(
            "the code makes one picture of two, so that its epoch has half the steps of one here",
        ),
    )
