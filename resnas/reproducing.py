"""Published tables trained again: `search_spaces.recipes` on this machine, beside their figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import torch

from resnas import backbones
from resnas.catalog import executors
from resnas.datasets._base import load
from resnas.errors import InvalidSpec, UnknownName
from resnas.executors._base import Json
from resnas.manifest import versions
from resnas.observer import Observer, Silent
from resnas.overhead import resizing
from resnas.reproduced import Measured, Record, Reproduction, Rule, device
from resnas.results import EpochMetrics, Plan, TrialResult, TrialState
from resnas.spec import JobSpec, TrainingSpec
from resnas.trial import TrialTask, build_space, run
from search_spaces import recipes
from search_spaces.recipes import Recipe, Row, Training

LEAST_EPOCHS = 5
SMALLEST_BATCH = STEPS = 16
"""An epoch has so many batches at a small scale, as long as a batch keeps so many samples."""

_NO_BUDGET = 1.0
"""GMACs of a job where no training lands on any."""

_CLASSES = 100
"""Of the networks of a recipe whose figures are costs."""


@dataclass(frozen=True)
class Request:
    """What is to be reproduced, and how.

    Attributes:
        name: of the recipe.
        recipe: it.
        scale: share of the samples and of the epochs; 1: as published.
        seeds: one training of each row for each.
        dataset: another data set than the recipe's; None: its own.
        datasets_dir: where image data lie.
        executor: where trainings run: "inline" (this process) or "ray".
        parallel: trainings at the same time, with "ray".
    """

    name: str
    recipe: Recipe
    scale: float = 1.0
    seeds: tuple[int, ...] = (0,)
    dataset: str | None = None
    datasets_dir: Path = Path("datasets")
    executor: str = "inline"
    parallel: int = 1


def named(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        UnknownName: there is none; the message suggests the nearest.
    """
    if name not in recipes.names():
        raise UnknownName.among("recipe", name, recipes.names())
    return recipes.recipe(name)


def reproduce(request: Request, output: Path, observer: Observer | None = None) -> Reproduction:
    """Train what a recipe says and keep every training in `output` the moment it ends.

    What `output` holds is not trained again; a training that was interrupted goes on behind its
    last epoch. Weights lie in a folder beside it, of its name without the suffix.

    At a scale below 1 a training has that share of the recipe's samples and of its epochs, but at
    least 1000 samples (or all there are) and 5 epochs (or as many as published); where an epoch
    would have fewer than 16 batches, the batch becomes smaller, not below 16, and the learning
    rate of the weights with it. Pictures, networks and everything else stay as published.

    Args:
        request: what to reproduce.
        output: file to keep it in, and to go on from.
        observer: told of every epoch and training, also of those in `output`.

    Raises:
        InvalidSpec: no seed, the same one twice, a scale outside (0, 1]; or `output` holds another
            reproduction, is no such file or cannot be written.
        UnknownName: no such executor, data set or backbone.
        DatasetUnavailable: the data are not there.
    """
    _check(request)
    rule = _rule(request)
    record = Record(output, request.name, request.recipe, rule)
    if request.recipe.training is None:
        for row in request.recipe.rows:
            if record.get(row.label, None) is None:
                record.keep(_cost_of(request, row))
        return record.told((None,))
    feed = _Feed(request, record, observer or Silent())
    gpus = 1 / request.parallel if torch.cuda.is_available() else 0
    cpus = max(1, torch.get_num_threads() // request.parallel)
    executors[request.executor](parallel=request.parallel, cpus=cpus, gpus=gpus).run(feed, run)
    return record.told(request.seeds)


class _Feed:
    """Hands out the trainings that the record does not hold, and keeps what becomes of them."""

    def __init__(self, request: Request, record: Record, observer: Observer) -> None:
        self.request = request
        self.record = record
        self.observer = observer
        self._asked: dict[int, tuple[Row, int]] = {}
        self._waiting = self._tasks()

    def next(self) -> Json | None:
        """The next training's task."""
        if self.should_stop():
            raise StopIteration
        return next(self._waiting).model_dump(mode="json")

    def report(self, number: int, message: Json) -> bool:  # noqa: ARG002
        """An epoch ended; the training goes on."""
        self.observer.on_epoch(EpochMetrics.model_validate(message))
        return False

    def done(self, number: int, results: list[Json]) -> None:
        """A training ended and brought its result."""
        self._keep(number, TrialResult.model_validate(*results))

    def failed(self, number: int, reason: str) -> None:
        """A training raised, or its process died."""
        row, seed = self._asked[number]
        facts = _plan(row).model_dump() | {"number": number, "seed": seed, "reason": reason}
        self._keep(number, TrialResult(**facts, state=TrialState.FAILED))

    lost = failed

    def should_stop(self) -> bool:
        """Whether the observer wants an end."""
        return self.observer.should_stop()

    def _keep(self, number: int, result: TrialResult) -> None:
        row, seed = self._asked[number]
        tested = result.test_accuracy
        self.record.keep(
            Measured(
                row=row.label,
                seed=seed,
                accuracy=result.val_accuracy if tested is None else tested,
                gmacs=result.gmacs,
                params=result.params,
                sizes=result.architecture.sizes if result.architecture else {},
                reason=result.reason,
                date=datetime.now(UTC),
                device=device(),
                versions=versions(),
                result=result,
            )
        )
        _checkpoint(self.request, self.record, row, seed).unlink(missing_ok=True)
        self.observer.on_trial(result)

    def _tasks(self) -> Iterator[TrialTask]:
        wanted = [(row, seed) for seed in self.request.seeds for row in self.request.recipe.rows]
        for number, (row, seed) in enumerate(wanted):
            known = self.record.get(row.label, seed)
            if known is None:
                self._asked[number] = (row, seed)
                yield _task(self.request, self.record, row, number, seed)
            elif known.result:
                self.observer.on_trial(known.result)


def _check(request: Request) -> None:
    if not request.seeds:
        raise InvalidSpec("seeds", "there is none", "Give at least one, like 0 or 0,1,2")
    if len(set(request.seeds)) < len(request.seeds) or min(request.seeds) < 0:
        raise InvalidSpec(
            "seeds",
            f"{', '.join(map(str, request.seeds))}: they are not different whole numbers from 0",
            "Name each once, like 0,1,2",
        )
    if not 0 < request.scale <= 1:
        raise InvalidSpec(
            "scale", f"it is {request.scale:g}", "Choose it above 0 and at most 1 (as published)"
        )
    if request.parallel < 1:
        raise InvalidSpec("parallel", f"it is {request.parallel}", "Choose 1 or more")
    executors[request.executor]


def _rule(request: Request) -> Rule:
    """What is trained on; the data are loaded once, so that they are known to be there."""
    recipe = request.recipe
    if recipe.training is None:
        return Rule(scale=1.0, dataset=None, samples={})
    name = request.dataset or recipe.dataset
    if request.scale < 1:
        name = f"part:{request.scale:g}:{name}"
    dataset = load(name, request.datasets_dir)
    splits = {"train": dataset.train, "val": dataset.val, "test": dataset.test}
    samples = {split: len(found) for split, found in splits.items() if found is not None}
    return Rule(scale=request.scale, dataset=name, samples=samples, about=_about(request))


def _about(request: Request) -> str:
    if request.scale == 1:
        return "1: as published"
    return (
        f"{request.scale:g} of the published samples (1000 at least) and epochs ({LEAST_EPOCHS} at "
        f"least); smaller batches, and rates with them, where an epoch had fewer than {STEPS}"
    )


def scaled(training: Training, scale: float, samples: int) -> TrainingSpec:
    """The settings at a scale, as `reproduce` says.

    Args:
        training: as published.
        scale: share of the epochs, in (0, 1].
        samples: that an epoch has at this scale.
    """
    epochs, batch = training.epochs, training.batch_size
    if scale < 1:
        epochs = min(epochs, max(LEAST_EPOCHS, round(scale * epochs)))
        batch = min(batch, max(SMALLEST_BATCH, samples // STEPS))
    lr = training.lr * batch / training.batch_size
    changed = replace(training, epochs=epochs, batch_size=batch, lr=lr)
    return TrainingSpec.model_validate(asdict(changed))


def _plan(row: Row) -> Plan:
    return Plan(
        resizer=row.resizer,
        controller=row.controller,
        lam=row.lam,
        budget_gmacs=row.budget_gmacs,
        sizes=dict(row.sizes),
        picture=row.picture,
    )


def _task(request: Request, record: Record, row: Row, number: int, seed: int) -> TrialTask:
    """One training; the trial's own plan decides about the budget, which a job cannot leave out."""
    rule = record.rule
    training = row.training or request.recipe.training
    assert training is not None
    assert rule.dataset is not None
    own_folder = backbones.own_folder()
    spec = JobSpec(
        backbone=row.backbone or request.recipe.backbone,
        dataset=rule.dataset,
        budget_gmacs=row.budget_gmacs or _NO_BUDGET,
        resizer=(row.resizer,),
        place=row.place,
        layers=row.layers,
        training=scaled(training, rule.scale, rule.samples["train"]),
        seed=seed,
    )
    return TrialTask(
        **_plan(row).model_dump(),
        number=number,
        spec=spec,
        seed=seed,
        datasets_dir=str(request.datasets_dir.absolute()),
        artifacts_dir=str(record.folder / "weights"),
        backbones_dir=str(own_folder) if own_folder else None,
        checkpoint=str(_checkpoint(request, record, row, seed)),
    )


def _checkpoint(request: Request, record: Record, row: Row, seed: int) -> Path:
    """The state of a running training."""
    return record.folder / f"running-{request.recipe.rows.index(row)}-{seed}.pt"


def _cost_of(request: Request, row: Row) -> Measured:
    """A row whose figures are costs: nothing is trained."""
    assert row.picture is not None
    backbone = row.backbone or request.recipe.backbone
    space = build_space(backbone, _CLASSES, (3, *row.picture), row.resizer, row.place, row.layers)
    if row.sizes:
        space.set_sizes(row.sizes)
    macs = int(space.cost("macs").detach())
    return Measured(
        row=row.label,
        gmacs=macs / 1e9,
        params=int(space.cost("params").detach()),
        overhead=resizing(space) / macs,
        sizes=space.sizes(),
        date=datetime.now(UTC),
        device=device(),
        versions=versions(),
    )
