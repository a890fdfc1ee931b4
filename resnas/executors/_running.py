"""What executors share: how a task is run where it runs, and how its error is told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def reason(error: BaseException) -> str:
    """An error in one line, for a person to read."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def processors() -> int:
    """CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def threads(cpus: float) -> Iterator[None]:
    """PyTorch computes with as many threads as a task has CPUs, until the end.

    At least one, and no more than this process may use: a task is free to ask for a cluster's.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, min(int(cpus), processors())))
    try:
        yield
    finally:
        torch.set_num_threads(before)
