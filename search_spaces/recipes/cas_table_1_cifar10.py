"""Convolutions with adaptive stride in VGG, AlexNet and MobileNet on CIFAR-10."""

from search_spaces.recipes._adaptive import OURS, PLAIN, SUBMISSION, pair
from search_spaces.recipes._recipe import Recipe

RECIPE = Recipe(
    title="convolutions with adaptive stride in three networks on CIFAR-10",
    source=f"{SUBMISSION}, table 1",
    backbone="vgg16",
    dataset="cifar10",
    training=PLAIN,
    rows=(
        *pair("VGG", "vgg16", "cas@stage2.conv1", (55.11, 55.83), PLAIN),
        *pair("AlexNet", "alexnet", "cas@conv2", (68.0, 70.0), PLAIN),
        *pair("MobileNet", "mobilenet_v1", "cas@block4.depthwise", (90.68, 91.84), PLAIN),
    ),
    ours={
        **OURS,
        "layers": "'middle and front of the network' is all that is said: one convolution there",
        "backbone": "neither the depth of VGG nor the version of MobileNet is stated",
    },
    remarks=("the published figures without the module are far below what these networks reach",),
)
