"""Shape Adaptor and DynOPool on CIFAR-100."""

from dataclasses import replace

from search_spaces.recipes._recipe import Published, Recipe, Row, Training
from search_spaces.recipes._thesis import CIFAR, COUNTER, OURS, THESIS, dynopool, mobile

STAGES = ("stage2.0.body.conv2", "stage3.0.body.conv2", "stage4.0.body.conv2")
MOBILE = ("stage3.0.depthwise.conv", "stage4.0.depthwise.conv", "stage6.0.depthwise.conv")
POOLS = ("pool1", "pool2", "pool3", "pool4")


def shape_adaptor(
    label: str, backbone: str, published: Published, groups: tuple[str, ...], training: Training
) -> Row:
    """Shape Adaptor, from the sizes that its authors' rule gives on the way from 32 to 8."""
    factor = (8 / 32) ** (1 / len(groups))
    sizes, side = {}, 32
    for group in groups:
        side = int(side * factor)
        sizes[group] = (side, side)
    adapted = replace(training, epochs=200, arch_lr=0.1, warmup=0.0, settle=0.0)
    return Row(
        label,
        "shape_adaptor",
        published,
        controller="penalty",
        lam=0.0,
        backbone=backbone,
        place="after",
        sizes=sizes,
        training=adapted,
    )


def ours(row: Row, backbone: str, training: Training) -> Row:
    """A row of DynOPool for one of the three networks."""
    return replace(row, backbone=backbone, training=training)


RECIPE = Recipe(
    title="Shape Adaptor and DynOPool in three networks on CIFAR-100",
    source=f"{THESIS}, table 5.2",
    backbone="vgg16",
    dataset="cifar100",
    training=CIFAR,
    rows=(
        shape_adaptor(
            "VGG-16, Shape Adaptor", "vgg16", Published(accuracy=79.2, gmacs=5.21), POOLS, CIFAR
        ),
        ours(dynopool("VGG-16, DynOPool", 79.8, 1.71), "vgg16", CIFAR),
        shape_adaptor(
            "ResNet-50, Shape Adaptor",
            "resnet50",
            Published(accuracy=80.3, gmacs=4.93),
            STAGES,
            CIFAR,
        ),
        ours(dynopool("ResNet-50, DynOPool", 80.6, 1.73), "resnet50", CIFAR),
        shape_adaptor(
            "MobileNetV2, Shape Adaptor",
            "mobilenet_v2",
            Published(accuracy=75.7, gmacs=0.92),
            MOBILE,
            mobile(CIFAR),
        ),
        ours(dynopool("MobileNetV2, DynOPool", 76.2, 0.21), "mobilenet_v2", mobile(CIFAR)),
    ),
    ours={
        **OURS,
        "place": "Shape Adaptor's authors spread adaptors evenly over the layers; here they stand "
        "where the network is resized, behind the activation",
        "sizes": "Shape Adaptor starts at the sizes of its authors' rule, 32 to 8 in as many equal "
        "steps as there are adaptors",
    },
    remarks=(COUNTER,),
)
