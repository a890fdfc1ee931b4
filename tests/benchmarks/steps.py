"""A training step of a search space beside that of the frozen network with the same sizes.

Both train the same weights on the same batch (zero_grad, forward, cross-entropy, backward, SGD);
the space's step has the strides' gradients, λ · cost and the strides' own SGD step as well. Steps
take turns in an order that changes; medians over the rounds. What the space's step has more is
measured apart: with the strides fixed (as while a trial settles), and the cost alone.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

import resnas
import search_spaces
from tests.benchmarks.operators import Figures, Stopwatch, take_turns

BACKBONES = ("vgg16", "resnet18", "resnet50", "mobilenet_v2")
SIZE, CLASSES = (3, 32, 32), 100
LAM = 1.0


def step(
    module: nn.Module, x: Tensor, labels: Tensor, cost: Callable[[], Tensor] | None = None
) -> Callable[[], None]:
    """A training step, of weights at a rate that leaves them as they are."""
    optimiser = torch.optim.SGD(module.parameters(), lr=1e-9, momentum=0.9)

    def take() -> None:
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(module(x), labels)
        if cost is not None:
            loss = loss + LAM * cost() / 1e9
        loss.backward()
        optimiser.step()

    return take


def space_of(name: str, fractional: bool) -> resnas.SearchSpace:
    """A converted backbone at the human sizes, or at sizes in between (both axes alike cheap)."""
    torch.manual_seed(0)
    space = resnas.convert(search_spaces.build(name, CLASSES, SIZE), SIZE)
    if fractional:
        with torch.no_grad():
            for stride in space.arch_parameters():
                stride.mul_(0.8 + 0.5 * torch.rand(2))
        space.clip_strides()
    return space.train()


def measure(name: str, fractional: bool, batch: int, rounds: int) -> dict[str, Any]:
    """Seconds of each step, and what they are divided by that of the frozen network."""
    x = torch.randn(batch, *SIZE).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(CLASSES, (batch,))
    space, settled = space_of(name, fractional), space_of(name, fractional)
    for stride in settled.arch_parameters():
        stride.requires_grad_(False)
    frozen = resnas.freeze(space).train()
    for module in (space, settled, frozen):
        module.to(memory_format=torch.channels_last)
    figures: Figures = take_turns(
        {
            "frozen": step(frozen, x, labels),
            "space": step(space, x, labels, lambda: space.cost("macs")),
            "settled": step(settled, x, labels),
            "cost": lambda: space.cost("macs").backward(),
        },
        rounds,
        Stopwatch(x.device),
    )
    return {"sizes": space.sizes(), **figures}


def conversion(rounds: int) -> dict[str, float]:
    """Seconds from a ResNet-50 to its space and cost at 224 pixels, and of the cost alone."""
    size = (3, 224, 224)
    model = search_spaces.build("resnet50", 1000, size)
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        space = resnas.convert(model, size)
        space.cost("macs")
        times.append(time.perf_counter() - start)
    start = time.perf_counter()
    for _ in range(100):
        space.cost("macs")
    once = (time.perf_counter() - start) / 100
    return {"first": times[0], "then": min(times), "cost": once}


def main() -> None:
    """Measure, print, and keep."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--batch", type=int, default=64)
    arguments.add_argument("--json", type=Path, help="file for the figures")
    given = arguments.parse_args()
    torch.set_num_threads(given.threads)
    console = Console(width=100)
    table = Table(
        "backbone, sizes",
        title=f"one step, {'×'.join(map(str, SIZE))}, batch {given.batch}, "
        f"{given.threads} threads, median of {given.rounds}",
    )
    for column in ("frozen, ms", "space, ×", "strides fixed, ×", "cost, ms"):
        table.add_column(column, justify="right")
    found: dict[str, Any] = {"torch": torch.__version__, "threads": given.threads}
    for name in BACKBONES:
        for fractional in (False, True):
            figures = measure(name, fractional, given.batch, given.rounds)
            title = f"{name}, {'in between' if fractional else 'human'}"
            found[title] = figures
            base = figures["frozen"]
            table.add_row(
                title,
                f"{base:.0f}",
                f"{figures['space'] / base:.3f}",
                f"{figures['settled'] / base:.3f}",
                f"{figures['cost']:.2f}",
            )
    console.print(table)
    found["conversion"] = times = conversion(given.rounds)
    console.print(
        f"ResNet-50 at 224 converted and counted: {times['first']:.2f} s the first time, then "
        f"{times['then']:.2f} s; one evaluation of its cost: {1000 * times['cost']:.2f} ms"
    )
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
