"""Pre-activation ResNet-18 on CIFAR-10: the figures of DiffStride's repository."""

from search_spaces.recipes._diffstride import code

RECIPE = code(
    ("CIFAR-10", "cifar10"),
    {
        (2, 2, 2): ((91.06, 0.04), (93.49, 0.05), (94.2, 0.06)),
        (3, 2, 3): ((89.21, 0.27), (92.0, 0.08), (94.19, 0.15)),
    },
)
