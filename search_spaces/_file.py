"""A Python file that states `build(num_classes, input_size)` and a `RECIPE`."""

from __future__ import annotations

from types import ModuleType

from torch import nn

from search_spaces._asked import Asked
from search_spaces._recipe import Recipe
from search_spaces._sources import Prepared


def prepare_file(asked: Asked, module: ModuleType, recipe: Recipe) -> Prepared:
    """What such a file builds; the settings are the keyword-only parameters of its `build`.

    Raises:
        BackboneRefused: it has no such setting, or wants one that is not given.
    """
    settings = asked.given_to(module.build)

    def build(num_classes: int, input_size: tuple[int, int, int]) -> nn.Module:
        model: nn.Module = module.build(num_classes, input_size, **settings)
        return model

    return Prepared(recipe, build)
