"""Differentiable architecture-resolution search.

space = resnas.convert(model, input_size=(3, 32, 32), resizer="dynopool")
loss = criterion(space(x), y) + lam * space.cost("macs") / 1e9
slim = resnas.freeze(space)  # a plain nn.Module at integer sizes, same outputs
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resnas.converting import convert, freeze
    from resnas.errors import ResnasError
    from resnas.estimating import estimate
    from resnas.exporting import export
    from resnas.loading import load
    from resnas.searching import search
    from resnas.space import SearchSpace
    from resnas.spec import JobSpec

_HOMES = {
    "JobSpec": "resnas.spec",
    "ResnasError": "resnas.errors",
    "SearchSpace": "resnas.space",
    "convert": "resnas.converting",
    "estimate": "resnas.estimating",
    "export": "resnas.exporting",
    "freeze": "resnas.converting",
    "load": "resnas.loading",
    "search": "resnas.searching",
}
_MODULES = ("catalog", "layers", "pareto", "plots", "resizers")

__all__ = [
    "JobSpec",
    "ResnasError",
    "SearchSpace",
    "convert",
    "estimate",
    "export",
    "freeze",
    "load",
    "search",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: `import resnas` alone costs nothing."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"resnas.{name}")
    raise AttributeError(f"module 'resnas' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted((*__all__, *_MODULES))
