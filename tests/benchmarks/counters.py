"""GMACs of the human networks: ours, fvcore's, and what the DynOPool thesis prints."""

from __future__ import annotations

import warnings

from rich.console import Console
from rich.table import Table

import search_spaces
from resnas.converting import convert, freeze
from resnas.costs._fvcore import fvcore_counts

THESIS = {
    ("vgg16", 32): "0.31",
    ("resnet50", 32): "1.31",
    ("mobilenet_v2", 32): "0.09",
    ("vgg16", 224): "15.40",
    ("resnet50", 224): "4.12",
    ("mobilenet_v2", 224): "0.33",
}
CLASSES = {32: 100, 224: 1000}
PRODUCTS = ("conv", "linear", "matmul", "addmm")


def main() -> None:
    """Print one row a backbone and input size."""
    warnings.filterwarnings("ignore")
    columns = ("backbone", "input", "resnas", "fvcore conv+linear", "fvcore total", "thesis")
    table = Table(*columns, title="GMACs of one sample, backbone as its authors made it")
    for side in CLASSES:
        for name in search_spaces.names():
            if side == 32 or not name.endswith("_small"):
                table.add_row(*row(name, side))
    Console(width=100).print(table)


def row(name: str, side: int) -> tuple[str, ...]:
    """The three counts of one backbone, and the thesis' figure."""
    size = (3, side, side)
    space = convert(search_spaces.build(name, CLASSES[side], size), size, "strided")
    counts = fvcore_counts(freeze(space), size)
    ours, theirs = space.human_cost("macs"), sum(counts.get(kind, 0) for kind in PRODUCTS)
    figures = (f"{count / 1e9:.6f}" for count in (ours, theirs, sum(counts.values())))
    return (name, f"3×{side}×{side}", *figures, THESIS.get((name, side), ""))


if __name__ == "__main__":
    main()
