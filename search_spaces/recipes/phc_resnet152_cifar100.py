"""ResNet-152 on CIFAR-100: convolutions from 1/n of the weights."""

from search_spaces.recipes._phc import phc
from search_spaces.recipes._recipe import Training

RECIPE = phc(
    ("ResNet-152", "torchvision/resnet152:stem=cifar"),
    ("CIFAR-100", "cifar100"),
    "layer1+layer2+layer3+layer4",
    Training(epochs=200, batch_size=128, lr=0.1, weight_decay=5e-4, settle=0.0, augment=False),
    best="66.497",
)
