"""Jobs that train nothing: what their trials come to follows from the seed and the number alone."""

from __future__ import annotations

import hashlib

from resnas.results import Architecture, EpochMetrics, Phase, TrialResult, TrialState
from resnas.spec import JobSpec, TrainingSpec
from service.store.values import Job

FAILING = 7
"""Every so many seeds there is one whose job fails until somebody has it tried again."""


def spec(seed: int, trials: int = 4, epochs: int = 3, milliseconds: int = 60) -> JobSpec:
    """A job whose epochs take so long each: the batch size, which nothing else needs here."""
    return JobSpec(
        backbone="vgg_small",
        dataset="digits",
        budget_gmacs=0.1,
        trials=trials,
        training=TrainingSpec(epochs=epochs, batch_size=milliseconds),
        seed=seed,
    )


def fails_at_first(spec: JobSpec) -> bool:
    """Whether the job fails with its first trial done, and succeeds when it is tried again."""
    return spec.seed % FAILING == FAILING - 1


def weights(spec: JobSpec, number: int) -> bytes:
    """What a trial keeps in the artifact store."""
    return f"weights of trial {number} with seed {spec.seed}".encode()


def epoch(spec: JobSpec, number: int, epoch: int, writer: int) -> EpochMetrics:
    """An epoch of a trial; `writer` tells which process reported it."""
    return EpochMetrics(
        trial=number,
        epoch=epoch,
        epochs=spec.training.epochs,
        phase=Phase.SEARCH,
        train_loss=1 / epoch,
        val_accuracy=_draw(spec, number, "accuracy"),
        gmacs=_macs(spec, number) / 1e9,
        sizes={"s": (8, 8)},
        strides={"g": (2.0, 2.0)},
        seconds=writer,
    )


def result(spec: JobSpec, number: int, writer: int = 0) -> TrialResult:
    """What a trial comes to; `writer` tells which process reported it."""
    return TrialResult(
        number=number,
        state=TrialState.COMPLETE,
        seed=spec.seed,
        resizer="dynopool",
        lam=_draw(spec, number, "lam"),
        architecture=Architecture(
            backbone=spec.backbone,
            num_classes=10,
            input_size=(1, 8, 8),
            resizer="dynopool",
            place="after",
            strides={"g": (2.0, 2.0)},
            sizes={"s": (8, 8)},
        ),
        val_accuracy=_draw(spec, number, "accuracy"),
        macs=_macs(spec, number),
        weights=hashlib.sha256(weights(spec, number)).hexdigest(),
        epochs_done=spec.training.epochs,
        seconds=writer,
    )


def undisturbed(job: Job) -> list[TrialResult]:
    """What all trials of a job come to."""
    return [result(job.asked(), number) for number in range(job.trials_total)]


def _macs(spec: JobSpec, number: int) -> int:
    return 1_000_000 + int(_draw(spec, number, "macs") * 150_000_000)


def _draw(spec: JobSpec, number: int, what: str) -> float:
    """A number from 0 to 1; coarse, so that ties occur."""
    digest = hashlib.sha256(f"{spec.seed}/{number}/{what}".encode()).digest()
    return digest[0] / 256
