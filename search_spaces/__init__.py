"""What can be searched: one backbone a file, found by its file name, and those of other libraries.

Plain torch modules and facts about them; this package knows nothing of resizers or searches. A
file states `RECIPE` and `build(num_classes, input_size)`; adding one is all that adding a backbone
takes. Beside these there are

- "timm/<name>" and "torchvision/<name>": their models, with random weights; nothing is downloaded;
- "own/<file>": Python files under `RESNAS_BACKBONES_DIR`, made like those of this package.

Settings may follow a name: "timm/resnet18:stem=cifar"; of a file they are the keyword-only
parameters of its `build`.

>>> model = build("resnet_small", num_classes=10, input_size=(1, 32, 32))
>>> "resnet18" in names()
True
>>> matching("resnet?8")
('resnet18',)
"""

from __future__ import annotations

import importlib
import pkgutil
from fnmatch import fnmatchcase

from torch import nn

from search_spaces._asked import Asked
from search_spaces._file import prepare_file
from search_spaces._general import general_recipe
from search_spaces._recipe import Recipe
from search_spaces._refused import BackboneRefused, UnknownBackbone
from search_spaces._sources import Prepared, source, sources
from search_spaces._sources.own import own_folder, own_from

__all__ = [
    "BackboneRefused",
    "Recipe",
    "UnknownBackbone",
    "about",
    "build",
    "check",
    "general_recipe",
    "matching",
    "names",
    "own_folder",
    "own_from",
    "patterns",
    "recipe",
]

SMALLEST_SIDE = 16
"""Pixels; below it the deepest maps of the CIFAR forms would vanish."""


def names() -> tuple[str, ...]:
    """Names of the backbones of this package and of own ones, sorted.

    Those of other libraries are over a thousand: `matching` lists them.
    """
    return (*_families(), *(f"own/{name}" for name in source("own").names()))


def patterns() -> tuple[str, ...]:
    """What `matching` can be asked beside `names()`: one pattern for each further source."""
    return tuple(f"{each}/*" for each in sources() if each != "own")


def matching(pattern: str) -> tuple[str, ...]:
    """Names of the backbones that fit a pattern like "timm/resnet*", sorted.

    Without a slash the pattern is for the files of this package.

    Raises:
        BackboneRefused: the library that would have them is not installed.
    """
    head, slash, tail = pattern.partition("/")
    if not slash:
        return tuple(name for name in _families() if fnmatchcase(name, pattern))
    return tuple(
        f"{each}/{name}"
        for each in sources()
        if fnmatchcase(each, head)
        for name in source(each).names()
        if fnmatchcase(name, tail)
    )


def about(name: str) -> str:
    """One line on the backbone `name`, which `names` or `matching` gave; broken files say so."""
    asked = Asked.parse(name)
    return source(asked.source).about(asked.name) if asked.source else recipe(name).about


def check(name: str) -> None:
    """See whether there is a backbone `name`, with such settings; nothing is built.

    Raises:
        UnknownBackbone: there is none.
        BackboneRefused: it cannot be had, or has no such settings.
    """
    _prepared(name)


def recipe(name: str) -> Recipe:
    """How the backbone `name` is best trained.

    Raises:
        UnknownBackbone: there is none of that name.
        BackboneRefused: it cannot be had, or has no such settings.
    """
    return _prepared(name).recipe


def build(name: str, num_classes: int, input_size: tuple[int, int, int]) -> nn.Module:
    """The backbone `name` with new weights (from torch's random generator).

    Args:
        name: one of `names()`, or of those that `matching` finds; settings may follow it.
        num_classes: width of its output: (N, C, H, W) becomes (N, num_classes), or (N,
            num_classes, H, W) where it tells the class of every pixel.
        input_size: (C, H, W) of one sample. With 64 pixels or fewer on the shorter side a
            backbone of this package takes its CIFAR form, which reduces less, else its ImageNet
            form; those of other libraries do so where `stem=cifar` is asked for.

    Raises:
        UnknownBackbone: there is none of that name.
        ValueError: the number of classes or the input size cannot be built for; as a
            BackboneRefused also: it cannot be had, or has no such settings.
    """
    prepared = _prepared(name)
    if num_classes < 1:
        raise ValueError(f"{name}: num_classes is {num_classes}. Pass 1 or more")
    if len(input_size) != 3 or input_size[0] < 1 or min(input_size[1:]) < SMALLEST_SIDE:
        raise ValueError(
            f"{name}: input_size is {input_size!r}. "
            f"Pass (C, H, W) with C >= 1 and H, W >= {SMALLEST_SIDE}"
        )
    return prepared.build(num_classes, input_size)


def _families() -> tuple[str, ...]:
    files = (module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg)
    return tuple(sorted(name for name in files if not name.startswith("_")))


def _prepared(name: str) -> Prepared:
    asked = Asked.parse(name)
    if asked.source in sources():
        return source(asked.source).prepare(asked)
    if "/" in name.partition(":")[0] or asked.name not in _families():
        raise UnknownBackbone(name, (*names(), *patterns()) if asked.source else names())
    module = importlib.import_module(f"{__name__}.{asked.name}")
    return prepare_file(asked, module, module.RECIPE)
