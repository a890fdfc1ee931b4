"""Pooling with adaptive stride in VGG and AlexNet on CIFAR-10."""

from search_spaces.recipes._adaptive import OURS, PLAIN, SUBMISSION, TRICKS, pair
from search_spaces.recipes._recipe import Recipe

RECIPE = Recipe(
    title="pooling with adaptive stride in VGG and AlexNet on CIFAR-10",
    source=f"{SUBMISSION}, table 4",
    backbone="vgg16",
    dataset="cifar10",
    training=PLAIN,
    rows=(
        *pair("VGG", "vgg16", "pas@pool2", (55.11, 56.23), PLAIN),
        *pair("AlexNet", "alexnet", "pas@pool2", (68.0, 71.0), PLAIN),
        *pair("AlexNet with tricks", "alexnet", "pas@pool2", (74.14, 77.583), TRICKS),
    ),
    ours={
        **OURS,
        "backbone": "the depth of VGG is not stated",
        "mixup, label_smoothing": "the tricks are not named: augmentation, mixup and smoothing",
    },
    remarks=(
        "the scan of the table is damaged: the figures of PAS are read as 56.23 and 71",
        "the published figures without the module are far below what these networks reach",
    ),
)
