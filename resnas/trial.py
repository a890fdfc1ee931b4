"""One trial as a task that any process can run: names and numbers in, results out, all JSON."""

from __future__ import annotations

import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import fx

from resnas import backbones
from resnas.backbones import Builder
from resnas.catalog import controllers, costs
from resnas.converting import convert
from resnas.costs._fvcore import fvcore_total
from resnas.datasets._base import AbstractDataset, load
from resnas.errors import ResnasError
from resnas.executors._base import Json, Report
from resnas.results import Architecture, TrialResult, TrialState, Value
from resnas.space import SearchSpace
from resnas.spec import JobSpec, TrainingSpec
from resnas.storage import ArtifactStore
from resnas.trainer import Trainer


class TrialTask(Value):
    """All that a process needs to know to run a trial."""

    number: int
    spec: JobSpec
    lam: float
    resizer: str
    controller: str = "penalty"
    seed: int
    datasets_dir: str
    artifacts_dir: str
    backbones_dir: str | None = None
    checkpoint: str | None


def run(task: Json, report: Report, builder: Builder | None = None) -> list[Json]:
    """Train one trial and keep its weights; the results are `TrialResult`s as JSON.

    Reports an `EpochMetrics` as JSON after every epoch. What a person can mend (a loss that
    became NaN) is a result of state "failed"; anything else is raised. `builder` builds the
    backbone where it is not known by its name.
    """
    trial = TrialTask.model_validate(task)
    with backbones.own_from(Path(trial.backbones_dir) if trial.backbones_dir else None):
        return _run(trial, report, builder)


def _run(trial: TrialTask, report: Report, builder: Builder | None) -> list[Json]:
    started = time.monotonic()
    trainer = None
    facts: dict[str, Any] = {
        **trial.model_dump(include={"number", "resizer", "controller", "lam", "seed"}),
    }
    try:
        trainer = _trainer(trial, builder)
        for metrics in trainer.train():
            report(metrics.model_dump(mode="json"))
        facts |= _outcome(trainer, ArtifactStore(Path(trial.artifacts_dir)))
        facts["state"] = TrialState.COMPLETE
    except ResnasError as error:
        facts |= {"state": TrialState.FAILED, "reason": str(error)}
    facts["epochs_done"] = trainer.epoch if trainer else 0
    facts["seconds"] = time.monotonic() - started
    if trial.checkpoint:
        Path(trial.checkpoint).unlink(missing_ok=True)
    return [TrialResult(**facts).model_dump(mode="json")]


def with_recipe(
    training: TrainingSpec, backbone: str, builder: Builder | None = None
) -> TrainingSpec:
    """The settings with what was left open taken from the backbone's own recipe."""
    recipe = backbones.recipe(backbone, builder)
    return training.model_copy(
        update={
            "lr": recipe.lr if training.lr is None else training.lr,
            "weight_decay": (
                recipe.weight_decay if training.weight_decay is None else training.weight_decay
            ),
        }
    )


def build_space(
    backbone: str,
    num_classes: int,
    input_size: tuple[int, int, int],
    resizer: str,
    place: Any = None,
    layers: tuple[str, ...] = (),
    builder: Builder | None = None,
) -> SearchSpace:
    """The search space of a backbone, whose architectures can be built again.

    The backbone is known by its name, or `builder` builds it.
    """
    model = backbones.build(backbone, num_classes, input_size, builder)
    space = convert(model, input_size, resizer, place, layers)
    space.backbone = backbone
    space.num_classes = num_classes
    return space


def rebuild(
    architecture: Architecture, weights: bytes, builder: Builder | None = None
) -> fx.GraphModule:
    """The fixed network of a stored architecture, in eval mode, on the CPU.

    Args:
        architecture: of a backbone that is known by its name, or that `builder` builds.
        weights: content of the safetensors file that its trial kept.
        builder: what the search was given as its backbone, if anything.

    Raises:
        ResnasError: the architecture is of a module that was converted without a name.
        UnknownName: there is no backbone of its name, and no `builder`.
        ArchitectureMismatch: it does not fit that backbone.
    """
    if architecture.backbone is None or architecture.num_classes is None:
        raise ResnasError(
            "architecture", "it is of a backbone without a name", "Convert that module yourself"
        )
    space = build_space(
        architecture.backbone,
        architecture.num_classes,
        architecture.input_size,
        architecture.resizer,
        architecture.place,
        architecture.layers,
        builder,
    )
    space.load_architecture(architecture)
    fixed = space.freeze()
    fixed.load_state_dict(safetensors.torch.load(weights))
    return fixed.eval()


@lru_cache(maxsize=2)
def _dataset(name: str, root: str) -> AbstractDataset:
    return load(name, Path(root))  # the next trial in this process finds it in memory


def _trainer(trial: TrialTask, builder: Builder | None) -> Trainer:
    spec = trial.spec
    dataset = _dataset(spec.dataset, trial.datasets_dir)
    torch.manual_seed(trial.seed)
    space = build_space(
        spec.backbone,
        dataset.num_classes,
        dataset.input_size,
        trial.resizer,
        spec.place,
        spec.layers,
        builder,
    )
    return Trainer(
        space,
        dataset,
        controllers[trial.controller](space, trial.lam),
        with_recipe(spec.training, spec.backbone, builder),
        number=trial.number,
        seed=trial.seed,
        checkpoint=Path(trial.checkpoint) if trial.checkpoint else None,
    )


def _outcome(trainer: Trainer, artifacts: ArtifactStore) -> dict[str, Any]:
    """What the trained network is, measured on the network itself."""
    space, dataset, feeder = trainer.space, trainer.dataset, trainer.feeder
    fixed = space.freeze().eval()
    accuracy = feeder.accuracy(fixed, dataset.val)
    test = feeder.accuracy(fixed, dataset.test) if dataset.test is not None else None
    fixed.cpu()
    weights = {k: v.contiguous() for k, v in fixed.state_dict().items()}
    return {
        "architecture": space.architecture(),
        "val_accuracy": accuracy,
        "test_accuracy": test,
        "macs": int(space.cost("macs").detach()),
        "counter": costs["macs"].counter,
        "fvcore_total": fvcore_total(fixed, space.input_size),
        "params": int(space.cost("params").detach()),
        "weights": artifacts.put(safetensors.torch.save(weights)),
    }
