"""ResNet-50 with space to depth on CIFAR-10."""

from search_spaces.recipes._recipe import Training
from search_spaces.recipes._spd import spd

RECIPE = spd(
    ("ResNet50", "resnet50"),
    ("CIFAR-10", "cifar10"),
    Training(epochs=500, batch_size=128, lr=0.1, weight_decay=5e-4, settle=0.0),
    (93.94, 95.03),
)
