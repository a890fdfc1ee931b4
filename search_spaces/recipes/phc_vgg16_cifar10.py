"""VGG-16 on CIFAR-10: convolutions from 1/n of the weights."""

from search_spaces.recipes._phc import phc
from search_spaces.recipes._recipe import Training

RECIPE = phc(
    ("VGG-16", "vgg16"),
    ("CIFAR-10", "cifar10"),
    "stage1.conv2+stage2+stage3+stage4+stage5",
    Training(epochs=200, batch_size=128, lr=0.01, weight_decay=5e-4, settle=0.0, augment=False),
    best="90.54",
)
