"""One trial as a task that any process can run: names and numbers in, results out, all JSON."""

from __future__ import annotations

import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import fx, nn

from resnas import backbones
from resnas.backbones import Builder
from resnas.catalog import controllers, costs
from resnas.converting import convert
from resnas.costs._fvcore import fvcore_total
from resnas.costs.latency import measure
from resnas.datasets._base import AbstractDataset, load
from resnas.datasets._resized import resized
from resnas.errors import ArchitectureMismatch, ResnasError
from resnas.executors._base import Json, Report
from resnas.feeding import Feeder
from resnas.results import Architecture, Plan, Size, TrialResult, TrialState
from resnas.space import SearchSpace
from resnas.spec import JobSpec, TrainingSpec
from resnas.storage import ArtifactStore
from resnas.trainer import Trainer


class TrialTask(Plan):
    """All that a process needs to know to run a trial.

    `artifacts_dir` and `checkpoint` may be URLs.
    """

    number: int
    spec: JobSpec
    started_from: TrialResult | None = None
    seed: int
    datasets_dir: str
    artifacts_dir: str
    backbones_dir: str | None = None
    checkpoint: str | None


def run(task: Json, report: Report, builder: Builder | None = None) -> list[Json]:
    """Train one trial and keep its weights; the results are `TrialResult`s as JSON.

    Reports an `EpochMetrics` as JSON after every epoch, the one that a checkpoint was made behind
    once more, and leaves the checkpoint for whoever keeps the results to delete. What a person can
    mend (a loss that became NaN) is a result of state "failed"; anything else is raised. `builder`
    builds the backbone where it is not known by its name.
    """
    trial = TrialTask.model_validate(task)
    with backbones.own_from(Path(trial.backbones_dir) if trial.backbones_dir else None):
        return _run(trial, report, builder)


def _run(trial: TrialTask, report: Report, builder: Builder | None) -> list[Json]:
    started = time.monotonic()
    trainer = None
    facts: dict[str, Any] = trial.model_dump(include={"number", "seed", *Plan.model_fields})
    try:
        trainer = _trainer(trial, builder)
        if trainer.last is not None:  # its report may have died with the process before
            report(trainer.last.model_dump(mode="json"))
        for metrics in trainer.train():
            report(metrics.model_dump(mode="json"))
        facts |= _outcome(trainer, ArtifactStore(trial.artifacts_dir))
        facts["state"] = TrialState.COMPLETE
    except ResnasError as error:
        facts |= {"state": TrialState.FAILED, "reason": str(error)}
    facts["epochs_done"] = trainer.epoch if trainer else 0
    facts["seconds"] = time.monotonic() - started
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
    architecture: Architecture,
    weights: bytes,
    builder: Builder | None = None,
    multiple_of: int = 1,
) -> fx.GraphModule:
    """The fixed network of a stored architecture, in eval mode, on the CPU.

    Args:
        architecture: of a backbone that is known by its name, or that `builder` builds.
        weights: content of the safetensors file that its trial kept.
        builder: what the search was given as its backbone, if anything.
        multiple_of: of what its sizes become multiples, as `SearchSpace.freeze` has it; all
            parameters and batch statistics are carried over.

    Raises:
        ResnasError: the architecture is of a module that was converted without a name.
        UnknownName: there is no backbone of its name, and no `builder`.
        ArchitectureMismatch: it, or the weights, do not fit that backbone, or it has no such sizes.
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
    fixed = fixed_network(space, architecture, weights)
    if multiple_of != 1:
        _take_over(space, fixed)
        fixed = space.freeze(multiple_of)
    return fixed.eval()


def fixed_network(space: SearchSpace, architecture: Architecture, weights: bytes) -> fx.GraphModule:
    """The network that an architecture is in its space, with the weights of a safetensors file.

    Raises:
        ArchitectureMismatch: the architecture or the weights are not of this space.
    """
    space.load_architecture(architecture)
    fixed = space.freeze()
    try:
        fixed.load_state_dict(safetensors.torch.load(weights))
    except (RuntimeError, safetensors.SafetensorError) as error:
        raise ArchitectureMismatch(
            "weights",
            f"they are not those of {architecture.backbone or 'this network'} "
            f"({str(error).splitlines()[0]})",
            "Load the safetensors file that was kept with this architecture",
        ) from error
    return fixed.eval()


def _take_over(space: SearchSpace, fixed: fx.GraphModule) -> None:
    """The weights of a fixed network, in its space; constants of its sizes stay behind."""
    own = space.model.state_dict()
    space.model.load_state_dict(
        {k: v for k, v in fixed.state_dict().items() if k in own}, strict=False
    )


def measured(network: nn.Module, feeder: Feeder) -> tuple[float, float | None]:
    """Accuracy of a network on the validation and the test split, null where there is none."""
    dataset = feeder.dataset
    test = None if dataset.test is None else feeder.accuracy(network, dataset.test)
    return feeder.accuracy(network, dataset.val), test


@lru_cache(maxsize=2)
def _dataset(name: str, root: str, picture: Size | None) -> AbstractDataset:
    """A data set that the next trial in this process finds in memory."""
    dataset = load(name, Path(root))
    return dataset if picture is None else resized(dataset, picture)


def _trainer(trial: TrialTask, builder: Builder | None) -> Trainer:
    spec = trial.spec
    dataset = _dataset(spec.dataset, trial.datasets_dir, trial.picture)
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
    # a controller may measure how long it takes here
    space.to("cuda" if torch.cuda.is_available() else "cpu")
    if trial.started_from:
        _begin_with(space, trial.started_from, ArtifactStore(trial.artifacts_dir))
    plan = Plan(**trial.model_dump(include=set(Plan.model_fields)))
    settings = {**spec.training.model_dump(), **trial.training}
    return Trainer(
        space,
        dataset,
        controllers[trial.controller](space, plan, trial.started_from),
        with_recipe(TrainingSpec.model_validate(settings), spec.backbone, builder),
        number=trial.number,
        seed=trial.seed,
        checkpoint=trial.checkpoint,
    )


def _begin_with(space: SearchSpace, before: TrialResult, artifacts: ArtifactStore) -> None:
    """Give a space the sizes and the weights of a trial that ended.

    Raises:
        ResnasError: it has none; or they are of another space.
    """
    if before.architecture is None or before.weights is None:
        raise ResnasError(
            f"trial {before.number}", "it has no weights to go on from", "Start from another trial"
        )
    weights = artifacts.read(before.weights)
    _take_over(space, fixed_network(space, before.architecture, weights))


def _outcome(trainer: Trainer, artifacts: ArtifactStore) -> dict[str, Any]:
    """What the trained network is, measured on the network itself."""
    space, feeder = trainer.space, trainer.feeder
    trainer.rest()
    fixed = space.freeze().eval()
    accuracy, test = measured(fixed, feeder)
    timed = trainer.controller.plan.budget_ms is not None
    latency = measure(fixed, space.input_size) if timed else None
    fixed.cpu()
    weights = {k: v.contiguous() for k, v in fixed.state_dict().items()}
    return {
        "architecture": space.architecture(),
        "val_accuracy": accuracy,
        "val_samples": len(feeder.dataset.val),
        "test_accuracy": test,
        "macs": int(space.cost("macs").detach()),
        "counter": costs["macs"].counter,
        "fvcore_total": fvcore_total(fixed, space.input_size),
        "latency_ms": latency,
        "rungs": tuple(trainer.rungs),
        "learned": trainer.controller.learned(),
        "params": int(space.cost("params").detach()),
        "weights": artifacts.put(safetensors.torch.save(weights)),
    }
