"""Every operator beside a strided convolution: ratios inside one process.

Forward and backward with all gradients; the candidates take turns in an order that changes, so that
whatever else the machine does, and what is in its caches, meets all of them alike. Medians over the
rounds. Prints a table for each shape, and
writes the same figures as JSON where `--json FILE` says.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from resnas.exporters.onnx import OnnxExporter
from resnas.layers.phc import PHConv2d
from resnas.resizers.average import Average
from resnas.resizers.diffstride import DiffStride
from resnas.resizers.dynopool import DynOPool
from resnas.resizers.shape_adaptor import ShapeAdaptor
from resnas.resizers.space_to_depth import SpaceToDepth
from resnas.resizers.spectral import SpectralPool
from tests.benchmarks._obvious import FourierDiffStride, FourSamples

SHAPES = ((32, 64, 32, 32), (8, 128, 56, 56))
LAYOUTS = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last}


def candidates(channels: int) -> dict[str, nn.Module]:
    """What is compared; the first is what all others are divided by."""
    settled = DynOPool((1.7, 2.3))
    settled.stride.requires_grad_(False)
    return {
        "conv3x3 stride 2": nn.Conv2d(channels, channels, 3, stride=2, padding=1),
        "max_pool2d 2": nn.MaxPool2d(2),
        "average 2": Average((2.0, 2.0)),
        "DynOPool 1.7, 2.3, settled": settled,
        "DynOPool 1.7, 2.3": DynOPool((1.7, 2.3)),
        "  the same, four grid_sample": FourSamples((1.7, 2.3)),
        "DiffStride 2, R 4": DiffStride((2.0, 2.0)),
        "  the same, rfft2": FourierDiffStride((2.0, 2.0)),
        "SpectralPool 2": SpectralPool((2.0, 2.0)),
        "ShapeAdaptor 1.4": ShapeAdaptor((1.4, 1.4)),
        "SpaceToDepth 2": SpaceToDepth(2),
        "PHConv2d n=4, 3x3 stride 2": PHConv2d(channels, channels, 3, n=4, stride=2, padding=1),
    }


Figures = dict[str, float]


class Stopwatch:
    """Milliseconds of a call: CUDA events on a GPU, the clock elsewhere."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def __call__(self, call: Callable[[], object]) -> float:
        if self.device.type != "cuda":
            start = time.perf_counter()
            call()
            return 1000 * (time.perf_counter() - start)
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        first.record()  # type: ignore[no-untyped-call]
        call()
        last.record()  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()
        return float(first.elapsed_time(last))  # type: ignore[no-untyped-call]


def take_turns(calls: dict[str, Callable[[], object]], rounds: int, watch: Stopwatch) -> Figures:
    """Median milliseconds by name; the first rounds, which fill caches, are not counted."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds + 3):
        for name in random.Random(turn).sample(list(calls), len(calls)):
            spent = watch(calls[name])
            if turn >= 3:
                times[name].append(spent)
    return {name: statistics.median(spent) for name, spent in times.items()}


def training(
    shape: tuple[int, ...], layout: torch.memory_format, device: torch.device, rounds: int
) -> Figures:
    """Forward and backward of every candidate."""
    x = torch.randn(shape, device=device).to(memory_format=layout).requires_grad_()
    modules = {
        name: module.to(device, memory_format=layout)
        for name, module in candidates(shape[1]).items()
    }
    return take_turns(
        {name: lambda module=module: _step(module, x) for name, module in modules.items()},
        rounds,
        Stopwatch(device),
    )


def _step(module: nn.Module, x: Tensor) -> None:
    x.grad = None
    out = module(x)
    out.backward(torch.ones_like(out))


def frozen(rounds: int) -> Figures:
    """A frozen DiffStride in ONNX Runtime beside its Fourier form in PyTorch; forward only."""
    x = torch.randn(SHAPES[0])
    fourier, ours = FourierDiffStride((2.0, 2.0)), DiffStride((2.0, 2.0))
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        path = Path(folder) / "frozen.onnx"
        OnnxExporter().write(ours.fixed(SHAPES[0][2:]).eval(), x, path)
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = torch.get_num_threads()
        session = onnxruntime.InferenceSession(str(path), settings)
        feed = {session.get_inputs()[0].name: x.numpy()}
        return take_turns(
            {
                "DiffStride by rfft2, PyTorch": lambda: fourier(x),
                "DiffStride frozen, ONNX Runtime": lambda: session.run(None, feed),
            },
            rounds,
            Stopwatch(x.device),
        )


def show(console: Console, title: str, columns: dict[str, Figures]) -> None:
    """One table: milliseconds and the ratio to the first row, a pair of columns a layout."""
    table = Table("operator", title=title)
    for name in columns:
        table.add_column(f"{name}, ms", justify="right")
        table.add_column("×", justify="right")
    for operator in next(iter(columns.values())):
        cells = []
        for found in columns.values():
            first = next(iter(found.values()))
            cells += [f"{found[operator]:.2f}", f"{found[operator] / first:.2f}"]
        table.add_row(operator, *cells)
    console.print(table)


def main() -> None:
    """Measure, print, and keep."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--rounds", type=int, default=30)
    arguments.add_argument("--json", type=Path, help="file for the figures")
    given = arguments.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(given.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    cpu = f"CPU, {given.threads} threads"
    where = torch.cuda.get_device_name() if device.type == "cuda" else cpu
    console = Console(width=100)
    found: dict[str, Any] = {"device": where, "torch": torch.__version__, "rounds": given.rounds}
    for shape in SHAPES:
        figures = {n: training(shape, f, device, given.rounds) for n, f in LAYOUTS.items()}
        name = "×".join(map(str, shape))
        show(console, f"{name}, forward and backward, {where}", figures)
        found[name] = figures
    found["frozen"] = frozen(given.rounds)
    shape = "×".join(map(str, SHAPES[0]))
    show(console, f"{shape}, forward, {cpu}", {"contiguous": found["frozen"]})
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
