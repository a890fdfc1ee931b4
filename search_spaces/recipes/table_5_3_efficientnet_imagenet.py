"""EfficientNet-B0 with DynOPool on ImageNet, beside B0 and B1."""

from dataclasses import replace

from search_spaces.recipes._recipe import Published, Recipe, Row
from search_spaces.recipes._thesis import IMAGENET, OURS, THESIS, dynopool

RECIPE = Recipe(
    title="EfficientNet-B0 with DynOPool on ImageNet, beside B0 and B1",
    source=f"{THESIS}, table 5.3",
    backbone="efficientnet_b0",
    dataset="imagenet",
    training=replace(IMAGENET, weight_decay=4e-5, lr=0.05),
    rows=(
        Row("B0, human", "strided", Published(accuracy=71.8, gmacs=0.42)),
        Row(
            "B1, human",
            "strided",
            Published(accuracy=72.8, gmacs=0.75),
            backbone="torchvision/efficientnet_b1",
            picture=(240, 240),
        ),
        dynopool("B0, DynOPool", 72.3, 0.58),
    ),
    ours={
        **OURS,
        "lr": "not stated for EfficientNet: that of MobileNetV2",
        "weight_decay": "not stated for EfficientNet: that of MobileNetV2",
        "picture": "not stated for B1: the 240 pixels of its own paper",
    },
    remarks=("GMACs of the thesis are by another counter, about 8 % above this one's here",),
)
