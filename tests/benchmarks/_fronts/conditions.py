"""Where and with what something was measured."""

from __future__ import annotations

import datetime
import platform
from importlib.metadata import version

import torch


def conditions() -> str:
    """Date, device, versions: one line."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    device = "CPU"
    if torch.cuda.is_available():
        device = torch.cuda.get_device_name()
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "optuna", "torch-pruning"))
    return f"{today}, {device} ({platform.machine()}), one thread a training; {packages}."
