"""A GMACs budget for a phone: one training that lands on it, at sizes that phones like.

    python -m tests.e2e.examples.phone_budget

A phone's network has so many multiply-accumulates for a picture and not one more. The strategy
`budget` ends on them in one training. Phones like maps whose sides are multiples of 8: the export
rounds to them, which changes the cost, and where that is too much the search aims lower.
"""

from __future__ import annotations

import sys
from pathlib import Path

import resnas
from resnas.datasets._base import load
from resnas.exporting import export_trial
from resnas.manifest import Manifest
from resnas.profiling import profile
from resnas.results import TrialResult
from resnas.spec import JobSpec, TrainingSpec
from resnas.storage import ArtifactStore
from tests.e2e.examples.reporting import Printing, onnx_accuracy
from tests.e2e.examples.shapes import KINDS, draw_folder

BACKBONE = "mobilenet_small"
NAME = "imagefolder:camera"
SIZE = 96
SHARE = 0.4
"""Of the human design's cost: what the phone can spare."""
ATTEMPTS = 3


def main(folder: Path, *, pictures: int = 100, epochs: int = 6) -> Manifest:
    """The whole example; everything it makes lies in `folder` afterwards."""
    data = folder / "datasets"
    draw_folder(data / "camera", SIZE, {"train": pictures, "val": max(pictures // 2, 10)})
    human = resnas.estimate(BACKBONE, (3, SIZE, SIZE), len(KINDS)).human_gmacs
    budget = float(f"{SHARE * human:.3g}")
    print(f"{BACKBONE} at {SIZE}×{SIZE} costs {human:.4g} GMACs; the phone has {budget:.4g}")

    aim = budget
    for left in reversed(range(ATTEMPTS)):
        found = search(aim, epochs, data)
        manifest = export(found, folder)
        assert manifest.gmacs is not None
        if manifest.gmacs <= budget or not left:
            break
        aim = float(f"{aim * budget / manifest.gmacs:.3g}")
        print(f"rounded, it is above what the phone has; the next search aims at {aim:.4g}\n")
    print(f"the file costs {manifest.gmacs:.4g} GMACs, {manifest.gmacs / human:.0%} of the human's")
    if manifest.gmacs > budget:
        print(f"that is above the phone's {budget:.4g}: begin with a smaller share")
    return manifest


def search(aim: float, epochs: int, data: Path) -> TrialResult:
    """One training that ends on `aim` GMACs, and its weights beside it."""
    spec = JobSpec(
        backbone=BACKBONE,
        dataset=NAME,
        budget_gmacs=aim,
        strategy="budget",
        training=TrainingSpec(epochs=epochs, batch_size=32),
    )
    store = ArtifactStore(data.parent / "weights")
    (trial,) = resnas.search(spec, observer=Printing(), datasets_dir=data, artifacts=store).trials
    return trial


def export(trial: TrialResult, folder: Path) -> Manifest:
    """The network at multiples of 8, with the accuracy that it has at those sizes."""
    assert trial.architecture is not None
    assert trial.weights is not None
    pictures = load(NAME, folder / "datasets")
    manifest = export_trial(
        trial.architecture,
        ArtifactStore(folder / "weights").read(trial.weights),
        folder / "exported",
        formats=("onnx",),
        result=trial,
        multiple_of=8,
        dataset=pictures,
    )
    assert manifest.sizes is not None
    for site, (height, width) in trial.architecture.sizes.items():
        rounded = "×".join(str(side) for side in manifest.sizes[site])
        print(f"  {site}: {height}×{width}, in the file {rounded}")
    confirmed = onnx_accuracy(str(folder / "exported" / "model.onnx"), pictures)
    print(
        f"trained at {trial.gmacs:.4g} GMACs: {trial.val_accuracy:.2%}; the file at "
        f"{manifest.gmacs:.4g}: {manifest.val_accuracy:.2%}, in ONNX Runtime {confirmed:.2%}"
    )
    shapes = profile(trial.architecture)
    resnas.plots.layer_costs(shapes).write_html(folder / "layers.html")
    return manifest


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "phone_budget"))
