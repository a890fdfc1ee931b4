"""What executors share: how a task is run where it runs, and how its error is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def reason(error: BaseException) -> str:
    """An error in one line, for a person to read."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


@contextmanager
def threads(cpus: float) -> Iterator[None]:
    """PyTorch computes with as many threads as a task has CPUs, at least one, until the end."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, int(cpus)))
    try:
        yield
    finally:
        torch.set_num_threads(before)
