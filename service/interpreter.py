"""How this package is started as a program of its own, whatever the current folder holds."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[1]


def command(module: str, *arguments: str) -> list[str]:
    """The words that start `module`; a folder or file of its name beside the user is ignored."""
    return [sys.executable, "-P", "-m", module, *arguments]


def environment() -> dict[str, str]:
    """This process's environment, in which `command` finds this very tree's packages first."""
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path}
