"""Operator by initial strides, mixup and batch size: ResNet-18 on CIFAR-10."""

from dataclasses import replace

from search_spaces.recipes._diffstride import CODE, OPERATORS
from search_spaces.recipes._recipe import Published, Recipe, Row

Setting = tuple[tuple[int, int, int], bool, int]
"""Initial strides, whether there is mixup, and the batch size."""

EPOCHS = {"strided": 150, "spectral": 150, "diffstride": 40}

TABLE: dict[Setting, tuple[float, float, float]] = {
    ((2, 2, 2), True, 128): (65.8, 66.98, 81.7),
    ((2, 2, 2), True, 256): (67.66, 68.34, 78.54),
    ((2, 2, 2), False, 128): (73.34, 75.75, 86.92),
    ((2, 2, 2), False, 256): (74.64, 75.44, 81.72),
    ((2, 2, 3), False, 128): (73.68, 74.86, 86.72),
    ((3, 1, 3), False, 128): (72.14, 73.78, 86.72),
    ((3, 1, 2), False, 128): (74.58, 76.42, 87.12),
}

HYPERCOMPLEX = (("strided", 47.48), ("spectral", 50.1))


def row(operator: str, resizer: str, setting: Setting, accuracy: float) -> Row:
    """One cell of the slides' tables."""
    strides, mixup, batch = setting
    learns = resizer == "diffstride"
    return Row(
        f"{operator}, {strides}, {'' if mixup else 'no '}mixup, batch {batch}",
        resizer,
        Published(accuracy=accuracy),
        controller="penalty" if learns else "fixed",
        lam=0.0 if learns else None,
        backbone=f"preact_resnet18:strides={'+'.join(map(str, strides))}",
        training=replace(
            CODE,
            epochs=EPOCHS[resizer],
            batch_size=batch,
            mixup=CODE.mixup if mixup else 0.0,
            augment=True,
        ),
    )


def hypercomplex(resizer: str, accuracy: float) -> Row:
    """PHC with N = 3 in place of all convolutions."""
    plain = row(resizer, resizer, ((2, 2, 2), False, 128), accuracy)
    return replace(
        plain,
        label=f"{resizer}, (2, 2, 2), PHC N=3",
        backbone="preact_resnet18:strides=2+2+2,widths=60+120+240+516",
        layers=("phc:n=3",),
    )


RECIPE = Recipe(
    title="ResNet-18 on CIFAR-10: operator by initial strides, mixup and batch size; PHC",
    source="F. Cocci and S. Santilli, slides on DiffStride and PHC, Sapienza University of Rome",
    backbone="preact_resnet18",
    dataset="cifar10",
    training=CODE,
    rows=(
        *(
            row(operator, resizer, setting, accuracy)
            for setting, figures in TABLE.items()
            for (operator, resizer), accuracy in zip(OPERATORS, figures, strict=True)
        ),
        *(hypercomplex(resizer, accuracy) for resizer, accuracy in HYPERCOMPLEX),
    ),
    ours={
        "lr, weight_decay, momentum, schedule": "not stated: those of DiffStride's code, with a "
        "cosine",
        "mixup": "its strength is not stated: that of DiffStride's code",
        "epochs": "DiffStride's 40 with early stopping are 40 here",
        "backbone": "the slides show the ResNet-18 for ImageNet; here it is the form for CIFAR. "
        "For PHC its widths are multiples of 3, those of PHC's authors",
        "mixup, batch_size": "not stated for PHC: none, and 128",
        "test": "the slides halve the test set for validation; here validation is a tenth of train",
    },
)
