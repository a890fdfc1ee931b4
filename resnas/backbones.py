"""Backbones by name."""

from __future__ import annotations

from torch import nn

import search_spaces
from resnas.errors import InvalidSpec, UnknownName


def names() -> tuple[str, ...]:
    """All names that `build` knows, sorted."""
    return search_spaces.names()


def recipe(name: str) -> search_spaces.Recipe:
    """How the backbone is best trained.

    Raises:
        UnknownName: there is no such backbone.
    """
    _check(name)
    return search_spaces.recipe(name)


def build(name: str, num_classes: int, input_size: tuple[int, int, int]) -> nn.Module:
    """A freshly initialised backbone for samples of `input_size` (C, H, W).

    Raises:
        UnknownName: there is no such backbone.
        InvalidSpec: it cannot be built for such samples.
    """
    _check(name)
    try:
        return search_spaces.build(name, num_classes, input_size)
    except ValueError as error:
        raise InvalidSpec(
            f"backbone {name}", str(error), "Choose another backbone, or enlarge the pictures"
        ) from error


def _check(name: str) -> None:
    if name not in names():
        raise UnknownName.among("backbone", name, names())
