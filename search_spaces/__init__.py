"""What can be searched: one backbone a file, found by its file name.

Plain torch modules and facts about them; this package knows nothing of resizers or searches. A
file states `RECIPE` and `build(num_classes, input_size)`; adding one is all that adding a backbone
takes.

>>> model = build("resnet_small", num_classes=10, input_size=(1, 32, 32))
>>> names()[:2]
('mobilenet_small', 'mobilenet_v2')
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from torch import nn

from search_spaces._recipe import Recipe

__all__ = ["Recipe", "UnknownBackbone", "build", "names", "recipe"]

SMALLEST_SIDE = 16
"""Pixels; below it the deepest maps of the CIFAR forms would vanish."""


class UnknownBackbone(LookupError):
    """There is no backbone of that name; `names` are those that there are."""

    def __init__(self, name: str, names: tuple[str, ...]) -> None:
        super().__init__(name, names)
        self.name = name
        self.names = names

    def __str__(self) -> str:
        return f"there is no backbone '{self.name}'. Choose one of: {', '.join(self.names)}"


def names() -> tuple[str, ...]:
    """Names of all backbones, sorted."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(name for name in found if not name.startswith("_")))


def recipe(name: str) -> Recipe:
    """How the backbone `name` is best trained.

    Raises:
        UnknownBackbone: no such file.
    """
    stated: Recipe = _module(name).RECIPE
    return stated


def build(name: str, num_classes: int, input_size: tuple[int, int, int]) -> nn.Module:
    """The backbone `name` with new weights (from torch's random generator).

    Args:
        name: one of `names()`.
        num_classes: width of its output: (N, C, H, W) becomes (N, num_classes).
        input_size: (C, H, W) of one sample. With 64 pixels or fewer on the shorter side the
            backbone takes its CIFAR form, which reduces less, else its ImageNet form.

    Raises:
        UnknownBackbone: no such file.
        ValueError: the number of classes or the input size cannot be built for.
    """
    module = _module(name)
    if num_classes < 1:
        raise ValueError(f"{name}: num_classes is {num_classes}. Pass 1 or more")
    if len(input_size) != 3 or input_size[0] < 1 or min(input_size[1:]) < SMALLEST_SIDE:
        raise ValueError(
            f"{name}: input_size is {input_size!r}. "
            f"Pass (C, H, W) with C >= 1 and H, W >= {SMALLEST_SIDE}"
        )
    model: nn.Module = module.build(num_classes, input_size)
    return model


def _module(name: str) -> ModuleType:
    if name not in names():
        raise UnknownBackbone(name, names())
    return importlib.import_module(f"search_spaces.{name}")
