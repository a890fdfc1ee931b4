"""VGG-16 on ImageNet: human design, DynOPool-S and DynOPool-B."""

from search_spaces.recipes._recipe import Published
from search_spaces.recipes._thesis import IMAGENET, dynopool, table_5_1

RECIPE = table_5_1(
    "VGG-16",
    "vgg16",
    ("ImageNet", "imagenet"),
    IMAGENET,
    (
        Published(accuracy=73.9, gmacs=15.39, sizes=((112, 112), (56, 56), (28, 28), (14, 14))),
        dynopool("DynOPool-S", 73.8, 10.16, ((88, 87), (40, 37), (24, 23), (12, 12))),
        dynopool("DynOPool-B", 74.1, 20.92, ((151, 152), (67, 68), (32, 30), (15, 13))),
    ),
)
