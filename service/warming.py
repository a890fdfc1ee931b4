"""What takes seconds to import is imported while the server answers already."""

from __future__ import annotations

import importlib
import threading

_CHECKS = "resnas.planning"  # with it torch: until then it cannot be seen whether a job is possible
_FIGURES = "plotly.graph_objects"


def warm() -> threading.Event:
    """Begin to import it; whoever needs it sooner waits for it.

    Returns:
        Set once jobs can be checked at once.
    """
    warmed = threading.Event()
    threading.Thread(target=_import, args=(warmed,), name="warming").start()
    return warmed


def _import(warmed: threading.Event) -> None:
    importlib.import_module(_CHECKS)
    warmed.set()
    importlib.import_module(_FIGURES)
