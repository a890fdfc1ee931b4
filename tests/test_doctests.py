"""The examples in docstrings do what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import resnas
import search_spaces

MODULES = sorted(
    module.name
    for package in (resnas, search_spaces)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if ">>>" in Path(str(module.module_finder.find_spec(module.name).origin)).read_text()
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name: str) -> None:
    found = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert found.attempted > 0
    assert found.failed == 0
