"""Replacements that learn no size: one file, one layer."""

from __future__ import annotations

import importlib
from types import ModuleType

from resnas.catalog import layers


def __getattr__(name: str) -> ModuleType:
    """A file of this folder, imported when first used."""
    if name in layers:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
