"""Resizers beside a strided convolution and a max-pool: ratios inside one process.

Forward and backward with all gradients; the candidates take turns, so that whatever else the
machine does meets all of them alike. Medians over the rounds.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from resnas.resizers.diffstride import DiffStride
from resnas.resizers.dynopool import DynOPool

SHAPES = ((32, 64, 32, 32), (8, 128, 56, 56))
ROUNDS = 20


def candidates(channels: int) -> dict[str, nn.Module]:
    """What is compared; the first is what all others are divided by."""
    settled = DynOPool((1.7, 2.3))
    settled.stride.requires_grad_(False)
    return {
        "conv3x3 stride 2": nn.Conv2d(channels, channels, 3, stride=2, padding=1),
        "max_pool2d 2": nn.MaxPool2d(2),
        "DynOPool 1.7, 2.3, settled": settled,
        "DynOPool 1.7, 2.3": DynOPool((1.7, 2.3)),
        "DiffStride 2, 2": DiffStride((2.0, 2.0)),
    }


def measure(shape: tuple[int, int, int, int], layout: torch.memory_format) -> dict[str, float]:
    """Median milliseconds by candidate."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    x = torch.randn(shape, device=device).to(memory_format=layout).requires_grad_()
    modules = {
        name: module.to(device, memory_format=layout)
        for name, module in candidates(shape[1]).items()
    }
    times: dict[str, list[float]] = {name: [] for name in modules}
    for turn in range(ROUNDS + 3):
        for name, module in modules.items():
            spent = _clock(lambda module=module: module(x), x)
            if turn >= 3:  # the first rounds fill caches
                times[name].append(spent)
    return {name: statistics.median(spent) for name, spent in times.items()}


def _clock(forward: Callable[[], Tensor], x: Tensor) -> float:
    x.grad = None
    _wait(x)
    start = time.perf_counter()
    out = forward()
    out.backward(torch.ones_like(out))
    _wait(x)
    return 1000 * (time.perf_counter() - start)


def _wait(x: Tensor) -> None:
    if x.is_cuda:
        torch.cuda.synchronize()


def main() -> None:
    """Print one table a shape."""
    torch.manual_seed(0)
    if len(sys.argv) > 1:
        torch.set_num_threads(int(sys.argv[1]))
    where = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    for shape in SHAPES:
        title = f"{'×'.join(map(str, shape))}, {where}, {torch.get_num_threads()} threads"
        table = Table("operator", "contiguous, ms", "× conv", "channels last, ms", "× conv")
        table.title = title
        layouts = [measure(shape, f) for f in (torch.contiguous_format, torch.channels_last)]
        firsts = [next(iter(found.values())) for found in layouts]
        for name in layouts[0]:
            cells = (
                cell
                for found, first in zip(layouts, firsts, strict=True)
                for cell in (f"{found[name]:.1f}", f"{found[name] / first:.2f}")
            )
            table.add_row(name, *cells)
        Console(width=100).print(table)


if __name__ == "__main__":
    main()
