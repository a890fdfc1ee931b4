"""Published tables as recipes: what was trained, how, and what came out; one file a recipe.

Facts only: `resnas reproduce` trains them. A file states `RECIPE`; its name gives the recipe's:
"table_5_1_vgg16_cifar100.py" is "table-5.1-vgg16-cifar100". Where a source leaves something open,
the recipe says what was chosen here, and why.

>>> names()[0]
'cas-table-1-cifar10'
>>> recipe("table-5.1-vgg16-cifar100").rows[0].published.accuracy
75.4
"""

from __future__ import annotations

import importlib
import pkgutil
import re

from search_spaces.recipes._recipe import Published, Recipe, Row, Training

__all__ = ["Published", "Recipe", "Row", "Training", "names", "recipe"]


def names() -> tuple[str, ...]:
    """The names of all recipes, sorted; imports none of them."""
    return tuple(sorted(_files()))


def recipe(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        KeyError: there is none.
    """
    found: Recipe = importlib.import_module(f"{__name__}.{_files()[name]}").RECIPE
    return found


def _files() -> dict[str, str]:
    """Modules by the names of their recipes: "5_1" is read as 5.1, other underscores as hyphens."""
    modules = (module.name for module in pkgutil.iter_modules(__path__))
    return {
        re.sub(r"(?<=\d)_(?=\d)", ".", module).replace("_", "-"): module
        for module in modules
        if not module.startswith("_")
    }
