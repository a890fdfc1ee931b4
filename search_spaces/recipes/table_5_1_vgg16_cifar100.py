"""VGG-16 on CIFAR-100: human design, DynOPool-S and DynOPool-B."""

from search_spaces.recipes._recipe import Published
from search_spaces.recipes._thesis import CIFAR, dynopool, table_5_1

RECIPE = table_5_1(
    "VGG-16",
    "vgg16",
    ("CIFAR-100", "cifar100"),
    CIFAR,
    (
        Published(accuracy=75.4, gmacs=0.31, sizes=((16, 16), (8, 8), (4, 4), (2, 2))),
        dynopool("DynOPool-S", 75.5, 0.36, ((21, 14), (10, 7), (5, 4), (2, 2))),
        dynopool("DynOPool-B", 79.8, 1.71, ((37, 32), (21, 18), (12, 9), (7, 4))),
    ),
)
