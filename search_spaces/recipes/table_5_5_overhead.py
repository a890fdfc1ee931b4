"""What DynOPool itself costs, in percent of the whole network."""

from search_spaces.recipes._recipe import Published, Recipe, Row, Size
from search_spaces.recipes._thesis import THESIS

SMALL: Size = (32, 32)
LARGE: Size = (224, 224)

FIGURES = (
    ("VGG-16, FGVC-Aircraft", "vgg16", LARGE, 0.07),
    ("VGG-16, CIFAR-100", "vgg16", SMALL, 0.07),
    ("VGG-16, ImageNet", "vgg16", LARGE, 0.07),
    ("ResNet-50, FGVC-Aircraft", "resnet50", LARGE, 0.26),
    ("ResNet-50, CIFAR-100", "resnet50", SMALL, 0.13),
    ("ResNet-50, ImageNet", "resnet50", LARGE, 0.26),
    ("MobileNetV2, FGVC-Aircraft", "mobilenet_v2", LARGE, 3.88),
    ("MobileNetV2, CIFAR-100", "mobilenet_v2", SMALL, 1.00),
    ("MobileNetV2, ImageNet", "mobilenet_v2", LARGE, 3.86),
)

RECIPE = Recipe(
    title="what DynOPool itself costs, in percent of the whole network",
    source=f"{THESIS}, table 5.5",
    backbone="vgg16",
    dataset="cifar100",
    training=None,
    rows=tuple(
        Row(
            label,
            "dynopool",
            Published(overhead=overhead),
            backbone=backbone,
            place="after",
            picture=picture,
        )
        for label, backbone, picture, overhead in FIGURES
    ),
    ours={
        "sizes": "not stated: those of the human design",
        "classes": "100 in every row; a cost depends on them only through the last layer",
    },
    remarks=(
        "here an interpolated number counts 4 multiply-accumulates, and each output is made of "
        "four; how the thesis counts them is not stated",
    ),
)
