"""The trials of a search, handed out one by one, and what becomes of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from resnas import backbones
from resnas.causes import NEXT_STEP, Cause, cause_of
from resnas.checkpoints import checkpoint_of
from resnas.errors import StorageFull
from resnas.executors._base import Json
from resnas.observer import Observer
from resnas.results import EpochMetrics, Plan, TrialResult, TrialState
from resnas.spec import JobSpec
from resnas.stopping import behind, rung_at
from resnas.storage import ArtifactStore
from resnas.strategies._base import AbstractStrategy, Outcome
from resnas.trial import TrialTask

MOST_LOSSES = 3
"""A trial whose process dies so often in a row, with no new epoch between, must be the cause."""


class TrialFeed:
    """Hands trials to an executor and what becomes of them to an observer.

    Trial n is proposed from the outcomes of trials 0 to n - p, p in parallel, whatever else has
    ended by then: so the same seed proposes the same trials on any machine and after any restart.

    A trial whose process or machine died is handed out again as it was, and goes on from its
    checkpoint.
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
        work_dir: Path | str | None,
        keeps_checkpoints: bool = False,
    ) -> None:
        self.spec = spec
        self.strategy = strategy
        self.observer = observer
        self.datasets_dir = datasets_dir
        self.artifacts = artifacts
        self.work_dir = work_dir
        self.keeps_checkpoints = keeps_checkpoints
        self.own_folder = backbones.own_folder()
        self._results = {result.number: result for result in finished}
        self._plans: dict[int, Plan] = {
            result.number: Plan(**result.model_dump(include=set(Plan.model_fields)))
            for result in finished
        }
        self._next = 0
        self._again: list[int] = []
        self._losses: dict[int, int] = {}
        self._reached: dict[int, int] = {}

    def results(self) -> tuple[TrialResult, ...]:
        """All trials that ended, by number."""
        return tuple(self._results[number] for number in sorted(self._results))

    def next(self) -> Json | None:
        """The next trial's task; None until the trials it depends on have ended.

        None, too, while the last ones run: one that is lost is handed out again.
        """
        if self.should_stop():
            raise StopIteration
        if self._again:
            number = self._again.pop(0)
            return self._task(number, self._plans[number]).model_dump(mode="json")
        while self._next in self._results:
            self._next += 1
        number = self._next
        if number >= (self.spec.trials or 1):
            if self._plans.keys() > self._results.keys():
                return None
            raise StopIteration
        known = range(number - self.spec.search.parallel + 1)
        if any(earlier not in self._results for earlier in known):
            return None
        outcomes = [self._outcome(n) for n in known]
        plan = self.strategy.suggest(number, outcomes)
        if plan.start is not None:
            if plan.start not in self._results:
                return None
            if self._results[plan.start].state is not TrialState.COMPLETE:
                plan = self.strategy.suggest(number, [*outcomes, self._outcome(plan.start)])
        self._plans[number] = plan
        self._next += 1
        return self._task(number, plan).model_dump(mode="json")

    def report(self, number: int, message: Json) -> bool:
        """An epoch ended; whether the trial is to end with it."""
        metrics = EpochMetrics.model_validate(message)
        if metrics.epoch > self._reached.get(number, 0):  # or what goes on repeats its last one
            self._reached[number] = metrics.epoch
            self._losses.pop(number, None)
        self.observer.on_epoch(metrics)
        reason = self._behind(metrics)
        if reason is None:
            return False
        self._keep(self._ended(number, TrialState.STOPPED, reason, metrics))
        return True

    def done(self, number: int, results: list[Json]) -> None:
        """A trial ended and brought its results."""
        del number
        for message in results:
            self._keep(TrialResult.model_validate(message))

    def failed(self, number: int, reason: str) -> None:
        """A trial raised.

        Raises:
            StorageFull: because nothing can be kept any more; no other trial would do better.
        """
        if cause_of(reason) is Cause.STORAGE_FULL:
            step = NEXT_STEP[Cause.STORAGE_FULL]
            raise StorageFull(f"trial {number}", f"what it made cannot be kept: {reason}", step)
        self._keep(self._ended(number, TrialState.FAILED, reason))

    def lost(self, number: int, reason: str) -> None:
        """A trial's process died: it is tried again, until it must be the cause itself.

        Raises:
            ConnectionError: what it needs stays away; no other trial would do better.
        """
        losses = self._losses[number] = self._losses.get(number, 0) + 1
        if losses < MOST_LOSSES:
            self._again.append(number)
        elif cause_of(reason) is Cause.UNREACHABLE:
            raise ConnectionError(f"trial {number}: {reason}")
        else:
            self.failed(number, f"{reason}, {losses} times in a row")

    def should_stop(self) -> bool:
        """Whether the observer wants the search to end."""
        return self.observer.should_stop()

    def _behind(self, metrics: EpochMetrics) -> str | None:
        """Why a trial is to be ended: compared with those that its plan was made from."""
        if not self.spec.search.stop_early or not metrics.rungs:
            return None
        if rung_at(metrics.epoch, metrics.epochs) is None:
            return None
        known = range(metrics.trial - self.spec.search.parallel + 1)
        others = [rung for n in known for rung in self._results[n].rungs]
        return behind(metrics.rungs[-1], others)

    def _ended(
        self,
        number: int,
        state: TrialState,
        reason: str,
        metrics: EpochMetrics | None = None,
    ) -> TrialResult:
        """A trial that came to no architecture."""
        return TrialResult(
            **self._plans[number].model_dump(),
            number=number,
            state=state,
            seed=self.spec.seed + number,
            rungs=metrics.rungs if metrics else (),
            epochs_done=metrics.epoch if metrics else 0,
            reason=reason,
        )

    def _keep(self, result: TrialResult) -> None:
        self._results[result.number] = result
        self.observer.on_trial(result)
        if self.work_dir and not self.keeps_checkpoints:  # not before somebody has the result
            checkpoint_of(self.work_dir, result.number).delete()

    def _outcome(self, number: int) -> Outcome:
        result = self._results[number]
        done = result.state is TrialState.COMPLETE
        return Outcome(
            number=number,
            plan=self._plans[number],
            accuracy=result.val_accuracy if done else None,
            gmacs=result.gmacs if done else None,
        )

    def _task(self, number: int, plan: Plan) -> TrialTask:
        kept = checkpoint_of(self.work_dir, number) if self.work_dir else None
        return TrialTask(
            **plan.model_dump(),
            number=number,
            spec=self.spec,
            started_from=None if plan.start is None else self._results[plan.start],
            seed=self.spec.seed + number,
            datasets_dir=str(self.datasets_dir.absolute()),
            artifacts_dir=self.artifacts.url,
            backbones_dir=str(self.own_folder) if self.own_folder else None,
            checkpoint=kept.location if kept else None,
        )
