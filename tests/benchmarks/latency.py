"""The latency that is added up from tables beside that of the whole frozen network.

Each space is measured layer by layer once; then its networks at several sizes are frozen and
measured whole, in turns. Ratios compare two measurements of the same machine; where others work on
it as well, the middle ratio tells more than the outermost.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

import resnas
import search_spaces
from resnas.costs._measurements import Measurements
from resnas.costs._timing import Stopwatch, machine
from resnas.costs.latency import Latency, measure
from resnas.graph.program import reach

BACKBONES = ("vgg_small", "resnet_small", "mobilenet_small")
FACTORS = {
    "human": (1.0, 1.0),
    "0.5 of each axis": (0.5, 0.5),
    "0.7": (0.7, 0.7),
    "1.3": (1.3, 1.3),
    "2": (2.0, 2.0),
    "3": (3.0, 3.0),
    "tall, 2 × 0.8": (2.0, 0.8),
    "wide, 0.6 × 1.7": (0.6, 1.7),
}
Row = dict[str, str | float]


Now = Callable[[], float]


def rows(name: str, resizer: str, side: int, device: torch.device, now: Now) -> list[Row]:
    """Predicted and measured milliseconds of one backbone at several sizes."""
    size = (3, side, side)
    space = resnas.convert(search_spaces.build(name, 10, size), size, resizer).eval().to(device)
    start = time.perf_counter()
    total = Latency(Measurements(Stopwatch(now=now))).total(
        space._operations, reach(space._program, space.model, space.arch_parameters())
    )
    total.value(space._integers())
    seconds = time.perf_counter() - start
    found: list[Row] = []
    before = [stride.detach().clone() for stride in space.arch_parameters()]
    for label, factors in FACTORS.items():
        with torch.no_grad():
            for stride, own in zip(space.arch_parameters(), before, strict=True):
                stride.copy_(own / torch.tensor(factors, device=device) ** (1 / len(before)))
        space.clip_strides()
        measured = measure(resnas.freeze(space), size, Stopwatch(31, now))
        found.append(
            {
                "backbone": name,
                "resizer": resizer,
                "sizes": label,
                "gmacs": float(space.cost("macs").detach()) / 1e9,
                "predicted_ms": total.value(space._integers()),
                "measured_ms": measured,
                "table_seconds": seconds,
            }
        )
    return found


def main() -> None:
    """Print predicted / measured for every backbone and size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backbones", nargs="+", default=BACKBONES)
    parser.add_argument("--resizers", nargs="+", default=("dynopool", "diffstride"))
    parser.add_argument("--side", type=int, default=32, help="of the picture, pixels")
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--processor-time",
        action="store_true",
        help="leave out what other programs take (CPU, one thread)",
    )
    parser.add_argument("--json", type=Path, help="write the figures there")
    given = parser.parse_args()
    device = torch.device(given.device)
    now = time.process_time if given.processor_time else time.perf_counter
    found = [
        row
        for name in given.backbones
        for resizer in given.resizers
        for row in rows(name, resizer, given.side, device, now)
    ]
    columns = ("backbone", "resizer", "last maps", "GMACs", "ms added up", "ms whole", "ratio")
    table = Table(*columns, title=f"Latency of one sample on {machine(device)}")
    ratios = []
    for row in found:
        predicted, measured = float(row["predicted_ms"]), float(row["measured_ms"])
        ratios.append(predicted / measured)
        figures = (f"{float(row['gmacs']):.4f}", f"{predicted:.3f}", f"{measured:.3f}")
        names = (str(row[key]) for key in ("backbone", "resizer", "sizes"))
        table.add_row(*names, *figures, f"{ratios[-1]:.3f}")
    console = Console(width=120)
    console.print(table)
    low, *_, high = sorted(ratios)
    console.print(f"ratio: {low:.3f} to {high:.3f}, median {statistics.median(ratios):.3f}")
    seconds = {row["backbone"]: f"{float(row['table_seconds']):.1f} s" for row in found}
    console.print(f"layers measured in {seconds}")
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
