"""Jobs of every kind, written by the store itself before its server starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import resnas
import search_spaces
from resnas.results import Architecture, EpochMetrics, TrialResult, TrialState
from resnas.spec import JobSpec
from service import keys
from service.principals import Scope
from service.settings import Settings
from service.store.repository import Repository
from service.store.values import Failure, Lease
from service.transitions import Event, moves

MARKUP = "<img src=x onerror=document.title='hacked'><b>bold</b>"
SHAPES = ((3, 2, 2), (6, 4, 2), (9, 5, 3), (12, 6, 3), (16, 8, 4))
ACCURACIES = (0.90, 0.94, 0.97, 0.965, 0.99)  # the fourth is dominated


@dataclass
class Kinds:
    """Ids of jobs by what they are, and keys by what they are good for."""

    jobs: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    architectures: list[str] = field(default_factory=list)


def fill(data_dir: Path) -> Kinds:
    """A database with all of them in `data_dir`, where no server runs yet."""
    settings = Settings(data_dir=data_dir)
    settings.prepare()
    repository = Repository.open(settings.database)
    try:
        return _filled(repository)
    finally:
        repository.close()


def _filled(repository: Repository) -> Kinds:
    kinds, known = Kinds(), [_architecture(sizes) for sizes in SHAPES]
    fields = [_trial(n, *each) for n, each in enumerate(zip(known, ACCURACIES, strict=True))]
    untested = fields[2].model_copy(update={"test_accuracy": None})
    for name, trials, event in (
        ("failed", [_failed(0)], Event.FAIL),
        ("none", [_failed(0)], Event.SUCCEED),
        ("one", fields[-1:], Event.SUCCEED),
        ("nan", [_failed(0), _failed(1), untested], Event.SUCCEED),
        ("whole", fields, Event.SUCCEED),
    ):
        kinds.jobs[name] = _job(repository, "vgg_small", trials, event)
    marked = [_renamed(trial) for trial in fields]
    kinds.jobs["markup"] = _job(repository, MARKUP, marked, Event.SUCCEED)
    page = repository.trials.page(kinds.jobs["whole"], len(fields))
    kinds.architectures = [str(trial.architecture_id) for trial in page]
    _make_keys(repository, kinds)
    return kinds


def _make_keys(repository: Repository, kinds: Kinds) -> None:
    readable = frozenset({Scope.READ})
    for name, lasts in (("reader", None), ("revoked", None), ("expired", timedelta(0))):
        made = keys.create(repository, name, readable, lasts)
        assert made is not None
        kinds.keys[name] = made.text
        if name == "revoked":
            keys.revoke(repository, made.key.id)


def _job(repository: Repository, backbone: str, trials: list[TrialResult], end: Event) -> str:
    spec = JobSpec(backbone=backbone, dataset="digits", budget_gmacs=0.005, trials=len(trials))
    cost = {"human_gmacs": 0.01032, "min_gmacs": 0.001, "max_gmacs": 0.16, "counter": "ours"}
    job = repository.jobs.add(spec, cost)
    _, lease = repository.jobs.claim("one", 600, moves(Event.CLAIM))
    for trial in trials:
        for epoch in range(1, 4):
            _epoch(repository, lease, trial, epoch)
        repository.trials.record(lease, trial)
    error = Failure(
        place="dataset digits",
        found="it could not be read",
        next_step="Look at the disk, then retry",
    )
    repository.jobs.finish(lease, moves(end), error if end is Event.FAIL else None)
    return str(job.id)


def _epoch(repository: Repository, lease: Lease, trial: TrialResult, epoch: int) -> None:
    architecture = trial.architecture
    metrics = EpochMetrics(
        trial=trial.number,
        epoch=epoch,
        epochs=3,
        phase="search",
        train_loss=2 / epoch,
        val_accuracy=0.3 * epoch,
        gmacs=(trial.gmacs or 0.005) * 2 / (1 + epoch / 3),
        sizes=architecture.sizes if architecture else {},
        strides=architecture.strides if architecture else {},
        seconds=1.0,
    )
    repository.trials.progress(lease, metrics)


def _architecture(sides: tuple[int, ...]) -> tuple[Architecture, int]:
    """A form of vgg_small with maps of these sides, and what it costs."""
    space = resnas.convert(search_spaces.build("vgg_small", 10, (1, 32, 32)), (1, 32, 32))
    space.backbone, space.num_classes = "vgg_small", 10
    names = [group.name for group in space.groups]
    space.set_sizes({name: (side, side) for name, side in zip(names, sides, strict=True)})
    return space.architecture(), round(float(space.cost("macs").detach()))


def _trial(number: int, found: tuple[Architecture, int], accuracy: float) -> TrialResult:
    architecture, macs = found
    return TrialResult(
        number=number,
        state=TrialState.COMPLETE,
        resizer="dynopool",
        lam=100.0 / (1 + number),
        seed=number,
        architecture=architecture,
        val_accuracy=accuracy,
        test_accuracy=accuracy - 0.01,
        macs=macs,
        counter="ours",
        seconds=3.0,
    )


def _failed(number: int) -> TrialResult:
    return TrialResult(
        number=number,
        state=TrialState.FAILED,
        resizer="dynopool",
        lam=1.0,
        seed=number,
        reason="the loss became NaN",
    )


def _renamed(trial: TrialResult) -> TrialResult:
    """The same with markup wherever a name stands."""
    assert trial.architecture is not None
    sizes = {f"{MARKUP}{site}": size for site, size in trial.architecture.sizes.items()}
    named = trial.architecture.model_copy(update={"backbone": MARKUP, "sizes": sizes})
    return trial.model_copy(update={"architecture": named, "resizer": MARKUP})
