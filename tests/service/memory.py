"""How much memory this process takes for something."""

from __future__ import annotations

from pathlib import Path

import plotly.graph_objects  # noqa: F401 - an application imports these two in the background

import resnas.planning  # noqa: F401

MEBIBYTE = 2**20


class Peak:
    """The most memory that was resident since this was made."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
        self._before = _bytes("VmRSS")

    def above(self) -> int:
        """Bytes beyond what there was at the start."""
        return _bytes("VmHWM") - self._before


def _bytes(field: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{field}:")[2].split()[0]) * 1024
