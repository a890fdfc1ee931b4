"""What all strategies have in common: data, network, length of a training, budgets."""

from __future__ import annotations

import hashlib
import os
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from resnas.datasets._base import AbstractDataset, Split, facts, load
from resnas.datasets._images import holdout
from resnas.errors import InvalidSpec
from resnas.estimates import Estimate
from resnas.estimating import estimate
from resnas.results import Value
from resnas.spec import JobSpec, SearchSpec, TrainingSpec
from resnas.storage import write_atomic


class Setting(Value):
    """One comparison; whatever differs here is kept in another folder of the cache.

    Attributes:
        dataset: whose pictures are drawn, stratified, with seed 0.
        variant: prefix of a data set's name that makes other pictures of those drawn.
        backbone: its name.
        place: where resizers stand; None: as each one's paper has it.
        train, val, test: how many pictures; the first two are of its training split.
        epochs, batch_size: of every training.
        points: of a front.
        low, high: ends of the range of budgets, relative to the cost of the human network; it never
            begins at less than a tenth above the smallest cost that can be reached.
    """

    dataset: str = "npz:cifar10"
    variant: str = ""
    backbone: str = "vgg_small"
    place: Literal["after", "conv", "before"] | None = None
    train: int = 2000
    val: int = 500
    test: int = 2000
    epochs: int = 5
    batch_size: int = 32
    points: int = 8
    low: float = 0.25
    high: float = 1.75

    def folder(self, cache: Path) -> Path:
        """Where everything of this setting lies."""
        digest = hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:8]
        name = f"{self.variant}{self.dataset}-{self.backbone}-{digest}"
        return cache / name.replace("/", "-").replace(":", "-")

    def training(self) -> TrainingSpec:
        """How one network is trained; the rates are the backbone's own."""
        return TrainingSpec(epochs=self.epochs, batch_size=self.batch_size)

    @property
    def samples(self) -> int:
        """That one epoch trains: whole batches."""
        return self.train // self.batch_size * self.batch_size


class Place:
    """A setting with its subset of the data and its folder in the cache.

    Args:
        setting: what is compared.
        cache: folder of all settings.
    """

    def __init__(self, setting: Setting, cache: Path) -> None:
        self.setting = setting
        self.folder = setting.folder(cache)
        self.data = self.folder / "data"
        self.dataset = f"{setting.variant}npz:subset"

    def prepare(self) -> None:
        """Write the subset where it is not there yet, and say what this folder is.

        Raises:
            DatasetUnavailable: the data are not there.
            InvalidSpec: the data set has fewer pictures than wanted, or no test split.
        """
        if not (self.data / "subset.npz").exists():
            root = Path(os.environ.get("RESNAS_DATASETS_DIR", "datasets"))
            _write_subset(load(self.setting.dataset, root), self.setting, self.data / "subset.npz")
        text = self.setting.model_dump_json(indent=2) + "\n"
        write_atomic(self.folder / "setting.json", text.encode())

    @cached_property
    def estimate(self) -> Estimate:
        """What the backbone costs on these pictures, and what can be reached."""
        classes, size = facts(self.dataset, self.data)
        return estimate(self.setting.backbone, size, classes, place=self.setting.place)

    @property
    def chance(self) -> float:
        """Accuracy of guessing: the reference of a hypervolume."""
        return 1 / self.estimate.num_classes

    def budgets(self) -> list[float]:
        """Budgets in GMACs, evenly spaced in logarithms from end to end."""
        found, setting = self.estimate, self.setting
        low = max(setting.low * found.human_gmacs, 1.1 * found.min_gmacs)
        high = setting.high * found.human_gmacs
        return [float(budget) for budget in np.geomspace(low, high, setting.points)]

    def over_budgets(self) -> SearchSpec:
        """A search whose front reaches over the range of budgets."""
        budgets = self.budgets()
        return SearchSpec(min_gmacs=budgets[0], max_gmacs=budgets[-1])

    def job(
        self,
        strategy: str,
        seed: int,
        *,
        trials: int | None = None,
        budget_gmacs: float | None = None,
        resizer: str = "dynopool",
        search: SearchSpec | None = None,
    ) -> JobSpec:
        """A search in this setting.

        Without a budget it is that of the front's points which is nearest to the human network;
        without a number of trials they are as many as the strategy takes of itself.
        """
        human = self.estimate.human_gmacs
        nearest = min(self.budgets(), key=lambda budget: abs(budget - human))
        return JobSpec(
            backbone=self.setting.backbone,
            dataset=self.dataset,
            budget_gmacs=budget_gmacs or nearest,
            strategy=strategy,
            place=self.setting.place,
            resizer=(resizer,),
            trials=trials,
            training=self.setting.training(),
            search=search or SearchSpec(),
            seed=1000 * seed,  # a trial's own seed is this plus its number
        )


def _write_subset(dataset: AbstractDataset, setting: Setting, path: Path) -> None:
    if dataset.test is None:
        raise InvalidSpec(f"dataset {setting.dataset}", "it has no test split", "Choose another")
    both = _drawn(dataset.train, setting.train + setting.val, "train and val")
    kept, held = holdout(both.labels, setting.val / len(both))
    splits = {
        "train": both.subset(kept),
        "val": both.subset(held),
        "test": _drawn(dataset.test, setting.test, "test"),
    }
    arrays = {}
    for name, split in splits.items():
        pictures = split.images[torch.arange(len(split))]
        arrays[f"x_{name}"] = pictures.permute(0, 2, 3, 1).contiguous().numpy()
        arrays[f"y_{name}"] = split.labels.numpy()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"part-{os.getpid()}.npz")
    np.savez(part, allow_pickle=False, **arrays)
    part.replace(path)


def _drawn(split: Split, count: int, place: str) -> Split:
    """`count` samples of a split, stratified, seed 0."""
    if count > len(split):
        raise InvalidSpec(place, f"{count} are wanted of {len(split)}", "Ask for fewer")
    if count == len(split):
        return split
    _, chosen = holdout(split.labels, count / len(split))
    return split.subset(chosen)
