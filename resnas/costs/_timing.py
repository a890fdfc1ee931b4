"""Run times of layers, taken as in a network and so that no drift favours any of them."""

from __future__ import annotations

import platform
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from resnas.costs._layers import Prepared


@dataclass(frozen=True)
class Call:
    """A layer to be timed.

    Attributes:
        layer: its name.
        sizes: along its axes, pixels.
        prepare: makes what is run, and has run it once.
    """

    layer: str
    sizes: tuple[int, ...]
    prepare: Callable[[], Prepared]


class Clock(Protocol):
    """Whatever says how long layers take."""

    def __call__(self, calls: Sequence[Call]) -> list[float]:
        """Milliseconds of each call."""


class Stopwatch:
    """Times layers as they take turns in a network: medians of single runs.

    A layer that runs again and again finds its code and its weights in the nearest cache, and is
    up to twice as fast as between others. So all layers are run one after another, in the order
    in which they come, each at one of its sizes, and then at the next.

    Args:
        rounds: how often each is timed at each of its sizes; less where that takes long.
        now: seconds by the clock of the CPU's work. `time.process_time` leaves out what other
            programs take, and is right where torch has one thread.
    """

    def __init__(self, rounds: int = 7, now: Callable[[], float] = time.perf_counter) -> None:
        self.rounds = rounds
        self.now = now

    @torch.no_grad()
    def __call__(self, calls: Sequence[Call]) -> list[float]:
        """Milliseconds of one run of each."""
        layers: dict[str, list[int]] = {}
        for n, call in enumerate(calls):
            layers.setdefault(call.layer, []).append(n)
        most = max(map(len, layers.values()), default=0)
        times: list[list[float]] = [[] for _ in calls]
        for turn in random.Random(0).sample(range(most), most):
            walk = [numbers[turn * len(numbers) // most] for numbers in layers.values()]
            for n, found in zip(walk, self._times([calls[n] for n in walk]), strict=True):
                times[n] += found
        return [statistics.median(found) for found in times]

    def _times(self, calls: Sequence[Call]) -> list[list[float]]:
        """Milliseconds of each call, round by round; to prepare one also warms it up."""
        prepared = [call.prepare() for call in calls]
        rounds: list[list[float]] = []
        start = time.perf_counter()
        while not rounds or (len(rounds) < self.rounds and time.perf_counter() - start < _ENOUGH):
            rounds.append(self._walk(prepared))
        return [list(found) for found in zip(*rounds, strict=True)]

    def _walk(self, prepared: Sequence[Prepared]) -> list[float]:
        """Milliseconds of each, one after another."""
        marks = []
        for each in prepared:
            with each.ready() as run:
                first = self._mark(each.device)
                run()
                marks.append((each, first, self._mark(each.device)))
        return [each.share * _between(each.device, first, last) for each, first, last in marks]

    def _mark(self, device: torch.device) -> Any:
        """Now, in the device's own time, without waiting for it where that is possible."""
        if device.type == "cuda":
            event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            event.record()
            return event
        if device.type != "cpu":
            torch.accelerator.synchronize(device)
        return self.now()


_ENOUGH = 1.0
"""Seconds after which layers at some sizes are not timed again."""


def _between(device: torch.device, first: Any, last: Any) -> float:
    """Milliseconds from one mark to the next."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        return float(first.elapsed_time(last))
    return float(1000 * (last - first))


def machine(device: torch.device) -> str:
    """What times depend on beside the layer: device, torch and threads, as text."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    kind = "" if device.type in {"cpu", "cuda"} else f" {device.type}"
    return f"{name}{kind}, torch {torch.__version__}, {torch.get_num_threads()} threads"


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()
