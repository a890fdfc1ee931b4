"""ResNet-50 on CIFAR-100: human design, DynOPool-S and DynOPool-B."""

from search_spaces.recipes._recipe import Published
from search_spaces.recipes._thesis import CIFAR, RAISED, dynopool, table_5_1

STARTS = {"stage2.0.body.conv2": (32, 32)}

RECIPE = table_5_1(
    "ResNet-50",
    "resnet50",
    ("CIFAR-100", "cifar100"),
    CIFAR,
    (
        Published(accuracy=78.5, gmacs=1.31, sizes=((16, 16), (8, 8), (4, 4))),
        dynopool("DynOPool-S", 80.3, 1.01, ((10, 9), (5, 4), (2, 2))),
        dynopool("DynOPool-B", 80.6, 1.73, ((18, 17), (7, 6), (2, 3)), STARTS),
    ),
    ours={"sizes": RAISED},
)
