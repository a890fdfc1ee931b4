"""MobileNetV2 on ImageNet: human design, DynOPool-S and DynOPool-B."""

from search_spaces.recipes._recipe import Published
from search_spaces.recipes._thesis import IMAGENET, dynopool, mobile, table_5_1

HUMAN = ((112, 112), (56, 56), (28, 28), (14, 14), (7, 7))

RECIPE = table_5_1(
    "MobileNetV2",
    "mobilenet_v2",
    ("ImageNet", "imagenet"),
    mobile(IMAGENET),
    (
        Published(accuracy=71.7, gmacs=0.31, sizes=HUMAN),
        dynopool("DynOPool-S", 72.1, 0.49, ((111, 111), (55, 50), (32, 27), (20, 16), (9, 7))),
        dynopool("DynOPool-B", 73.8, 1.16, ((181, 171), (95, 93), (53, 53), (31, 29), (10, 10))),
    ),
)
