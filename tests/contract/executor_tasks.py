"""Tasks that run in other processes, which have to import them by name."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import torch

from resnas.executors._base import Json, Report


def count(task: Json, report: Report) -> list[Json]:
    for epoch in range(task["epochs"]):
        report({"epoch": epoch, "sizes": {"a.b": [4, 4]}})
    return [{"number": task["number"], "threads": torch.get_num_threads()}]


def fail(task: Json, report: Report) -> list[Json]:
    if task["number"] == 1:
        raise ValueError("no such thing:\n  a unicorn")
    if task["number"] == 2:
        return [{"JSON holds no set": {1, 2}}]
    return count(task, report)


def lose_touch(task: Json, report: Report) -> list[Json]:
    if task["number"] == 0:
        raise ConnectionRefusedError("the bucket is away")
    return [{"number": task["number"]}]


def die(task: Json, report: Report) -> list[Json]:
    report({"epoch": 0})
    if task["number"] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return [{"number": task["number"]}]


def meet(task: Json, report: Report) -> list[Json]:
    """Ends only while the other task of its pair is there too; says which process it ran in."""
    folder = Path(task["folder"])
    (folder / str(task["number"])).touch()
    other = folder / str(task["number"] ^ 1)
    deadline = time.monotonic() + 60
    while not other.exists():
        if time.monotonic() > deadline:
            raise TimeoutError("the other task never started")
        time.sleep(0.01)
    return [{"process": os.getpid()}]


def talk_forever(task: Json, report: Report) -> list[Json]:
    while True:
        report({"epoch": 0})


def compute_forever(task: Json, report: Report) -> list[Json]:
    """Reports once and never again."""
    report({"epoch": 0})
    while True:
        torch.zeros(1).add_(1)
