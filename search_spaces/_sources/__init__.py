"""Where backbones come from that are no files of this package: one source a file.

"timm/resnet18" is what the file `timm.py` here calls "resnet18". Every file has

- `names()`: all that it has, sorted;
- `about(name)`: one line on one of them;
- `prepare(asked)`: a `Prepared`, or an UnknownBackbone or BackboneRefused.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from torch import nn

from search_spaces._asked import Asked
from search_spaces._recipe import Recipe


@dataclass(frozen=True)
class Prepared:
    """A backbone whose name and settings are known to be right.

    Attributes:
        recipe: how it is best trained.
        build: (num_classes, (C, H, W)) to the network, with new weights.
    """

    recipe: Recipe
    build: Callable[[int, tuple[int, int, int]], nn.Module]


class Source(Protocol):
    """What a file here has."""

    def names(self) -> tuple[str, ...]:
        """All that there are, sorted, without the source's own name."""

    def about(self, name: str) -> str:
        """One line on one of them."""

    def prepare(self, asked: Asked) -> Prepared:
        """What is asked for, ready to be built.

        Raises:
            UnknownBackbone: there is none of that name.
            BackboneRefused: it cannot be built as asked.
        """


def sources() -> tuple[str, ...]:
    """Names of all sources, sorted; loads none of them."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(name for name in found if not name.startswith("_")))


def source(name: str) -> Source:
    """The source of that name, one of `sources()`."""
    return cast(Source, importlib.import_module(f"{__name__}.{name}"))
