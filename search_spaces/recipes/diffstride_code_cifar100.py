"""Pre-activation ResNet-18 on CIFAR-100: the figures of DiffStride's repository."""

from search_spaces.recipes._diffstride import code

RECIPE = code(
    ("CIFAR-100", "cifar100"),
    {
        (2, 2, 2): ((65.75, 0.39), (72.86, 0.23), (76.08, 0.23)),
        (3, 2, 3): ((60.82, 0.42), (67.74, 0.43), (76.09, 0.06)),
    },
)
