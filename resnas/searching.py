"""A search: a strategy says what to try, an executor runs it, an observer hears of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from resnas import backbones
from resnas.backbones import Builder
from resnas.catalog import executors
from resnas.causes import NEXT_STEP, cause_of
from resnas.errors import ResnasError, SearchFailed
from resnas.executors._base import AbstractExecutor
from resnas.notebook import is_notebook
from resnas.observer import Observer, Silent
from resnas.planning import prepare
from resnas.progress import NotebookProgress
from resnas.results import TrialResult
from resnas.search_result import SearchResult, complete, front_of, points
from resnas.spec import JobSpec
from resnas.storage import ArtifactStore
from resnas.trial import run
from resnas.trials import TrialFeed

__all__ = ["SearchResult", "complete", "front_of", "points", "search"]


def search(
    spec: JobSpec,
    executor: str = "inline",
    observer: Observer | None = None,
    *,
    backbone: Builder | None = None,
    datasets_dir: Path | None = None,
    artifacts: ArtifactStore | None = None,
    work_dir: Path | str | None = None,
    finished: Sequence[TrialResult] = (),
    ray_address: str | None = None,
    keeps_checkpoints: bool = False,
) -> SearchResult:
    """Run a whole search and return its trials.

    Args:
        spec: what to search.
        executor: name in `resnas.catalog.executors`: "inline" (this process) or "ray".
        observer: told of every epoch and trial, and asked whether to stop; default: a bar where a
            notebook runs this, else nobody.
        backbone: a network of the caller's own: what builds it for (num_classes, (C, H, W)), a
            function or the class itself. Then `spec.backbone` is the name that it is stored under,
            and `resnas.trial.rebuild` wants it again. With "ray" it travels to other processes.
        datasets_dir: where image data lie; default: RESNAS_DATASETS_DIR, else `datasets` here.
        artifacts: where weights are kept; default: a folder that lives as long as the result.
        work_dir: path or URL where trials keep their state while they run, to go on after a crash.
        finished: trials of an earlier attempt at the same search; they are not run again.
        ray_address: of a running Ray cluster; default: a private local one.
        keeps_checkpoints: leave those of ended trials to the caller, who may need them until the
            results are where no crash can take them.

    Raises:
        UnknownName, DatasetUnavailable, InfeasibleBudget, GraphError: see `estimating.check`.
        UnreachableBudget: of a strategy that lands on its budget, where no whole sizes do.
        InvalidSpec: also: `backbone` answers no module, cannot be sent to other processes, or has
            the name of another one.
        SearchFailed: no trial completed.
        StorageFull: weights or checkpoints cannot be kept any more.
    """
    if backbone is not None:
        backbones.claim(spec.backbone)
    datasets_dir = datasets_dir or Path(os.environ.get("RESNAS_DATASETS_DIR", "datasets"))
    prepared = prepare(spec, datasets_dir, backbone)
    spec = prepared.spec
    folder = None
    if artifacts is None:
        folder = TemporaryDirectory(prefix="resnas-")
        artifacts = ArtifactStore(Path(folder.name))
    feed = TrialFeed(
        spec,
        prepared.strategy,
        observer or _watching(spec),
        finished,
        datasets_dir=datasets_dir,
        artifacts=artifacts,
        work_dir=work_dir,
        keeps_checkpoints=keeps_checkpoints,
    )
    work = run if backbone is None else partial(run, builder=backbone)
    _executor(executor, spec, ray_address).run(feed, work)
    trials = feed.results()
    stopped = feed.should_stop()
    if not complete(trials) and not stopped:
        reasons = [trial.reason for trial in trials if trial.reason] or ["it was stopped"]
        raise SearchFailed(
            "search",
            f"none of {len(trials)} trials completed; the first failed because: {reasons[0]}",
            NEXT_STEP.get(cause_of(reasons[0]), "Mend that and search again"),
        )
    return SearchResult(spec, trials, artifacts, folder, prepared.estimate.human_gmacs)


def _watching(spec: JobSpec) -> Observer:
    """Who listens where nobody was named."""
    if is_notebook() and spec.trials:
        return NotebookProgress(spec.trials, spec.budget_gmacs, spec.budget_ms)
    return Silent()


def _executor(name: str, spec: JobSpec, ray_address: str | None) -> AbstractExecutor:
    entry = executors[name]
    resources = {
        "parallel": spec.search.parallel,
        "cpus": spec.search.cpus_per_trial,
        "gpus": spec.search.gpus_per_trial,
    }
    if ray_address is not None:
        if name != "ray":
            raise ResnasError("ray_address", f"the executor is '{name}'", "Use executor='ray'")
        return entry(**resources, address=ray_address)  # type: ignore[no-any-return]
    return entry(**resources)  # type: ignore[no-any-return]
