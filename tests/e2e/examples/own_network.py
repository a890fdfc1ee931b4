"""A network and pictures of one's own: from a class and a folder to a file for ONNX Runtime.

    python -m tests.e2e.examples.own_network

It draws an image folder, searches the resolutions of a network that resnas has never seen, shows
the front, and exports the best network under the budget.
"""

from __future__ import annotations

import sys
from pathlib import Path

from torch import Tensor, nn

import resnas
from resnas.datasets._base import load
from resnas.exporting import export_trial
from resnas.picture import front_svg
from resnas.profiling import profile
from resnas.results import TrialResult
from resnas.searching import SearchResult
from resnas.spec import JobSpec, SearchSpec, TrainingSpec
from tests.e2e.examples.reporting import Printing, onnx_accuracy
from tests.e2e.examples.shapes import draw_folder

SIZE = 48
NAME = "imagefolder:shapes"
PLACE = "before"
"""Resize, then convolve: half of a map costs half. "after" convolves at the large size first."""


class ShapeNet(nn.Module):
    """Any network will do: this one halves its maps three times, in two different ways."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stem = _convolution(3, 16)
        self.down = _convolution(16, 32, stride=2)
        self.pool = nn.MaxPool2d(2)
        self.body = _convolution(32, 48)
        self.side = _convolution(48, 48)
        self.last = _convolution(48, 64, stride=2)
        self.head = nn.Linear(64, classes)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.pool(self.down(self.stem(images)))
        maps = self.body(maps)
        maps = maps + self.side(maps)  # maps that meet share one size
        return self.head(self.last(maps).mean((2, 3)))


def _convolution(taken: int, given: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(taken, given, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(given),
        nn.ReLU(),
    )


def build(num_classes: int, input_size: tuple[int, int, int]) -> nn.Module:
    """What resnas asks for: a new network for so many classes and samples of (C, H, W)."""
    return ShapeNet(num_classes)


def main(
    folder: Path,
    *,
    pictures: int = 200,
    trials: int = 6,
    epochs: int = 10,
    share: float = 0.6,
) -> SearchResult:
    """The whole example; everything it makes lies in `folder` afterwards.

    Args:
        folder: made where missing.
        pictures: of each class, to train with.
        trials: how many trainings.
        epochs: of each.
        share: of the human design's cost, as the budget.
    """
    data = folder / "datasets"
    draw_folder(data / "shapes", SIZE, {"train": pictures, "val": max(pictures // 3, 10)})

    known = resnas.estimate("shape_net", (3, SIZE, SIZE), 4, place=PLACE, builder=build)
    human, low, high = known.human_gmacs, known.min_gmacs, known.max_gmacs
    print(f"what learns its size: {', '.join(group.name for group in known.groups)}")
    print(f"the human design costs {human:.4g} GMACs; {low:.4g} to {high:.4g} can be reached")

    spec = JobSpec(
        backbone="shape_net",
        dataset=NAME,
        budget_gmacs=float(f"{share * human:.2g}"),
        place=PLACE,
        trials=trials,
        training=TrainingSpec(epochs=epochs, batch_size=32),
        search=SearchSpec(lam_min=0.02 / human, lam_max=2 / human),
    )
    found = resnas.search(spec, observer=Printing(), backbone=build, datasets_dir=data)
    show(found, human, folder)
    return found


def show(found: SearchResult, human: float, folder: Path) -> None:
    """The front as a figure, the best network's shapes, and its file."""
    best, budget = found.best, found.spec.budget_gmacs
    if best is None or best.architecture is None:
        print(f"nothing under {budget} GMACs: ask for more trials, or a larger budget")
        return
    marks = resnas.plots.marks_of(found.trials)
    chosen = next(mark for mark in marks if mark.trial == best.number)
    figure = resnas.plots.front(marks, budget_gmacs=budget, human_gmacs=human, best=chosen.id)
    figure.write_html(folder / "front.html")
    picture = front_svg(marks, budget, human, "a network of one's own, on drawn shapes")
    (folder / "front.svg").write_text(picture)
    shapes = profile(best.architecture, build)
    resnas.plots.shape_ladder(shapes).write_html(folder / "shapes.html")
    print(f"best under {budget} GMACs: {best.val_accuracy:.2%} at {best.gmacs:.5f}")
    print(f"sizes: {best.architecture.sizes}")
    export(found, best, folder)


def export(found: SearchResult, best: TrialResult, folder: Path) -> None:
    """The best network as ONNX, checked on the pictures that it was chosen with."""
    assert best.architecture is not None
    assert best.weights is not None
    weights = found.artifacts.read(best.weights)
    export_trial(
        best.architecture,
        weights,
        folder / "exported",
        formats=("onnx",),
        result=best,
        builder=build,
    )
    pictures = load(NAME, folder / "datasets")
    accuracy = onnx_accuracy(str(folder / "exported" / "model.onnx"), pictures)
    print(f"exported/model.onnx in ONNX Runtime: {accuracy:.2%}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "own_network"))
