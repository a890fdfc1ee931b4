"""What the examples that search in this process say while they do."""

from __future__ import annotations

import numpy as np
import onnxruntime
import torch

from resnas.datasets._base import AbstractDataset
from resnas.feeding import Feeder
from resnas.results import EpochMetrics, TrialResult
from resnas.spec import TrainingSpec


class Printing:
    """An observer that prints a line for each trial."""

    def on_epoch(self, metrics: EpochMetrics) -> None:
        """Say nothing: trainings are short here."""

    def on_trial(self, result: TrialResult) -> None:
        """One line: what it aimed at, and what it came to."""
        if result.val_accuracy is None or result.gmacs is None:
            print(f"trial {result.number}: {result.state.value}, {result.reason}")
            return
        print(
            f"trial {result.number}: {result.aim:<20} {result.gmacs:8.5f} GMACs "
            f"{result.val_accuracy:7.2%} in {result.seconds:.0f} s"
        )

    def should_stop(self) -> bool:
        """Never."""
        return False


def onnx_accuracy(path: str, dataset: AbstractDataset) -> float:
    """Share of the validation pictures that an exported file tells right, in ONNX Runtime."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (taken,) = (value.name for value in session.get_inputs())
    feeder, right = Feeder(dataset, TrainingSpec(augment=False), torch.device("cpu")), 0
    for images, labels in feeder.in_order(dataset.val):
        (scores,) = session.run(None, {taken: np.ascontiguousarray(images.numpy())})
        right += int((scores.argmax(axis=1) == labels.numpy()).sum())
    return right / len(dataset.val)
