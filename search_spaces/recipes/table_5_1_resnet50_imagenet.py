"""ResNet-50 on ImageNet: human design, DynOPool-S and DynOPool-B."""

from search_spaces.recipes._recipe import Published
from search_spaces.recipes._thesis import IMAGENET, dynopool, table_5_1

RECIPE = table_5_1(
    "ResNet-50",
    "resnet50",
    ("ImageNet", "imagenet"),
    IMAGENET,
    (
        Published(accuracy=77.2, gmacs=4.11, sizes=((56, 56), (28, 28), (14, 14), (7, 7))),
        dynopool("DynOPool-S", 77.6, 6.20, ((71, 71), (27, 26), (12, 11), (4, 2))),
        dynopool("DynOPool-B", 78.1, 12.80, ((102, 99), (43, 41), (16, 17), (4, 4))),
    ),
)
