"""MobileNetV2 on CIFAR-100: human design, DynOPool-S and DynOPool-B."""

from search_spaces.recipes._recipe import Published
from search_spaces.recipes._thesis import CIFAR, dynopool, mobile, table_5_1

RECIPE = table_5_1(
    "MobileNetV2",
    "mobilenet_v2",
    ("CIFAR-100", "cifar100"),
    mobile(CIFAR),
    (
        Published(accuracy=73.8, gmacs=0.09, sizes=((16, 16), (8, 8), (4, 4))),
        dynopool("DynOPool-S", 74.0, 0.08, ((13, 13), (6, 6), (4, 4))),
        dynopool("DynOPool-B", 76.2, 0.21, ((22, 21), (12, 12), (7, 7))),
    ),
)
