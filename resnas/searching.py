"""A search: a strategy says what to try, an executor runs it, an observer hears of it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from resnas import backbones, pareto
from resnas.backbones import Builder
from resnas.catalog import executors, strategies
from resnas.errors import InvalidSpec, ResnasError, SearchFailed
from resnas.estimating import Estimate, check
from resnas.executors._base import AbstractExecutor, Json
from resnas.observer import Observer, Silent
from resnas.results import EpochMetrics, TrialResult, TrialState
from resnas.spec import JobSpec
from resnas.storage import ArtifactStore, write_atomic
from resnas.strategies._base import AbstractStrategy, Outcome, Proposal, Question
from resnas.trial import TrialTask, run

LAM_RANGE = (0.02, 4.0)
"""Range of λ times the backbone's GMACs: from hardly felt to as strong as the task's loss."""


@dataclass(frozen=True)
class SearchResult:
    """What a search came to.

    Attributes:
        spec: what was asked.
        trials: all trials, by number, with those that failed or were stopped.
        artifacts: where their weights lie.
        folder: what holds them where nobody has named a place; it goes with this result.
    """

    spec: JobSpec
    trials: tuple[TrialResult, ...]
    artifacts: ArtifactStore
    folder: TemporaryDirectory[str] | None = None

    @property
    def front(self) -> tuple[TrialResult, ...]:
        """Complete trials that no other beats in both validation accuracy and GMACs, by GMACs."""
        return front_of(self.trials)

    @property
    def best(self) -> TrialResult | None:
        """The most accurate trial within the budget; None where all are above it."""
        done = complete(self.trials)
        index = pareto.best_under(points(done), self.spec.budget_gmacs)
        return None if index is None else done[index]

    def save(self, directory: Path | str) -> None:
        """Write `search.json` and the weights of the front's networks into a folder."""
        directory = Path(directory)
        for result in self.front:
            if result.weights:
                weights = self.artifacts.read(result.weights)
                write_atomic(directory / "weights" / f"{result.weights}.safetensors", weights)
        content = {
            "spec": self.spec.model_dump(mode="json"),
            "trials": [trial.model_dump(mode="json") for trial in self.trials],
            "front": [trial.number for trial in self.front],
            "best": self.best.number if self.best else None,
        }
        write_atomic(directory / "search.json", json.dumps(content, indent=2).encode())


def search(
    spec: JobSpec,
    executor: str = "inline",
    observer: Observer | None = None,
    *,
    backbone: Builder | None = None,
    datasets_dir: Path | None = None,
    artifacts: ArtifactStore | None = None,
    work_dir: Path | None = None,
    finished: Sequence[TrialResult] = (),
    ray_address: str | None = None,
) -> SearchResult:
    """Run a whole search and return its trials.

    Args:
        spec: what to search.
        executor: name in `resnas.catalog.executors`: "inline" (this process) or "ray".
        observer: told of every epoch and trial, and asked whether to stop.
        backbone: a network of the caller's own: what builds it for (num_classes, (C, H, W)), a
            function or the class itself. Then `spec.backbone` is the name that it is stored under,
            and `resnas.trial.rebuild` wants it again. With "ray" it travels to other processes.
        datasets_dir: where image data lie; default: RESNAS_DATASETS_DIR, else `datasets` here.
        artifacts: where weights are kept; default: a folder that lives as long as the result.
        work_dir: where trials keep their state while they run, to go on after a crash.
        finished: trials of an earlier attempt at the same search; they are not run again.
        ray_address: of a running Ray cluster; default: a private local one.

    Raises:
        UnknownName, DatasetUnavailable, InfeasibleBudget, GraphError: see `estimating.check`.
        InvalidSpec: also: `backbone` answers no module, cannot be sent to other processes, or has
            the name of another one.
        SearchFailed: no trial completed.
    """
    if backbone is not None:
        backbones.claim(spec.backbone)
    datasets_dir = datasets_dir or Path(os.environ.get("RESNAS_DATASETS_DIR", "datasets"))
    estimate = check(spec, datasets_dir, backbone)
    folder = None
    if artifacts is None:
        folder = TemporaryDirectory(prefix="resnas-")
        artifacts = ArtifactStore(Path(folder.name))
    feed = TrialFeed(
        spec,
        strategies[spec.strategy](question(spec, estimate)),
        observer or Silent(),
        finished,
        datasets_dir=datasets_dir,
        artifacts=artifacts,
        work_dir=work_dir,
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
            "Mend that and search again",
        )
    return SearchResult(spec, trials, artifacts, folder)


def question(spec: JobSpec, estimate: Estimate) -> Question:
    """What the strategy is asked: λ is searched relative to the backbone's own GMACs."""
    low, high = (bound / estimate.human_gmacs for bound in LAM_RANGE)
    low, high = spec.search.lam_min or low, spec.search.lam_max or high
    if low >= high:
        raise InvalidSpec(
            "search", f"λ has to be above {low:g} and below {high:g}", "Give lam_min and lam_max"
        )
    return Question(
        lam_min=low,
        lam_max=high,
        resizers=spec.resizer,
        budget_gmacs=spec.budget_gmacs,
        trials=spec.trials,
        seed=spec.seed,
    )


def complete(trials: Sequence[TrialResult]) -> list[TrialResult]:
    """The trials that completed: only these are architectures to choose from."""
    return [trial for trial in trials if trial.state is TrialState.COMPLETE]


def points(trials: Sequence[TrialResult]) -> list[tuple[float, float]]:
    """(validation accuracy, GMACs) of complete trials, as `resnas.pareto` takes them."""
    return [(t.val_accuracy, t.gmacs) for t in trials]  # type: ignore[misc]


def front_of(trials: Sequence[TrialResult]) -> tuple[TrialResult, ...]:
    """The non-dominated among the complete trials, by GMACs."""
    done = complete(trials)
    return tuple(done[index] for index in pareto.front(points(done)))


class TrialFeed:
    """Hands trials to an executor and what becomes of them to an observer.

    Trial n is proposed from the outcomes of trials 0 to n - p, p in parallel, whatever else has
    ended by then: so the same seed proposes the same trials on any machine and after any restart.
    """

    def __init__(
        self,
        spec: JobSpec,
        strategy: AbstractStrategy,
        observer: Observer,
        finished: Sequence[TrialResult],
        *,
        datasets_dir: Path,
        artifacts: ArtifactStore,
        work_dir: Path | None,
    ) -> None:
        self.spec = spec
        self.strategy = strategy
        self.observer = observer
        self.datasets_dir = datasets_dir
        self.artifacts = artifacts
        self.work_dir = work_dir
        self.own_folder = backbones.own_folder()
        self._results = {result.number: result for result in finished}
        self._proposals: dict[int, Proposal] = {
            result.number: Proposal(result.lam, result.resizer) for result in finished
        }
        self._next = 0

    def results(self) -> tuple[TrialResult, ...]:
        """All trials that ended, by number."""
        return tuple(self._results[number] for number in sorted(self._results))

    def next(self) -> Json | None:
        """The next trial's task; None until the trials it depends on have ended."""
        while self._next in self._results:
            self._next += 1
        number = self._next
        if number >= self.spec.trials or self.should_stop():
            raise StopIteration
        known = range(number - self.spec.search.parallel + 1)
        if any(earlier not in self._results for earlier in known):
            return None
        proposal = self.strategy.suggest(number, [self._outcome(n) for n in known])
        self._proposals[number] = proposal
        self._next += 1
        return self._task(number, proposal).model_dump(mode="json")

    def report(self, number: int, message: Json) -> None:
        """An epoch ended."""
        del number
        self.observer.on_epoch(EpochMetrics.model_validate(message))

    def done(self, number: int, results: list[Json]) -> None:
        """A trial ended and brought its results."""
        del number
        for message in results:
            self._keep(TrialResult.model_validate(message))

    def failed(self, number: int, reason: str) -> None:
        """A trial raised, or its process died."""
        proposal = self._proposals[number]
        self._keep(
            TrialResult(
                number=number,
                state=TrialState.FAILED,
                resizer=proposal.resizer,
                controller="penalty",
                lam=proposal.lam,
                seed=self.spec.seed + number,
                reason=reason,
            )
        )

    def should_stop(self) -> bool:
        """Whether the observer wants the search to end."""
        return self.observer.should_stop()

    def _keep(self, result: TrialResult) -> None:
        self._results[result.number] = result
        self.observer.on_trial(result)

    def _outcome(self, number: int) -> Outcome:
        result = self._results[number]
        done = result.state is TrialState.COMPLETE
        return Outcome(
            number=number,
            proposal=self._proposals[number],
            accuracy=result.val_accuracy if done else None,
            gmacs=result.gmacs if done else None,
        )

    def _task(self, number: int, proposal: Proposal) -> TrialTask:
        kept = self.work_dir / f"trial-{number}.pt" if self.work_dir else None
        return TrialTask(
            number=number,
            spec=self.spec,
            lam=proposal.lam,
            resizer=proposal.resizer,
            seed=self.spec.seed + number,
            datasets_dir=str(self.datasets_dir.absolute()),
            artifacts_dir=str(self.artifacts.root.absolute()),
            backbones_dir=str(self.own_folder) if self.own_folder else None,
            checkpoint=str(kept.absolute()) if kept else None,
        )


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
