"""ResNet-18 with space to depth on Tiny ImageNet."""

from search_spaces.recipes._recipe import Training
from search_spaces.recipes._spd import spd

RECIPE = spd(
    ("ResNet18", "resnet18"),
    ("Tiny ImageNet", "tiny_imagenet"),
    Training(
        epochs=200, batch_size=256, lr=0.01793, weight_decay=0.002113, momentum=0.9447, settle=0.0
    ),
    (61.68, 64.52),
    remarks=(
        "the authors' network of that name has the blocks of a ResNet-50; here it is a ResNet-18",
    ),
)
