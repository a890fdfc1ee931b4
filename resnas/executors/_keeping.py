# ruff: noqa: ARG002 - Tune prescribes what its schedulers are given
"""Processes that stay for the next task."""

from __future__ import annotations

import time
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler

IDLE_SECONDS = 10.0
"""For so long after a task's end its process waits for another one, and occupies its resources."""


class KeepingScheduler(FIFOScheduler):  # type: ignore[misc]
    """Trials in their order, in the processes of those that ended before them.

    Tune itself keeps a process only for a trial that waits already, or else one in all. A feed
    that hands out its next tasks when several have ended would find all but one gone, and a new
    one needs seconds to import PyTorch. A process that nobody needed is given up after
    `IDLE_SECONDS`: others may wait for its place in the cluster.

    Args:
        parallel: tasks at the same time, at most, and so processes.
    """

    def __init__(self, parallel: int) -> None:
        super().__init__()
        self.parallel = parallel
        self._cache: Any = None
        self._until = 0.0

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: object) -> None:
        """Called before Tune decides about the process of the trial."""
        if self._cache is None:
            # Tune's own, private: in a version that has another one, processes merely start anew
            self._cache = getattr(tune_controller, "_actor_cache", None)
            if self._cache is None:
                return
            self._request = trial.placement_group_factory
            self._cache.increase_max(self._request, by=self.parallel)
        self._until = time.monotonic() + IDLE_SECONDS

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """Called before Tune ends the process of the trial; its machine may be gone.

        Others that waited there would each lose the next trial, and take it for the cause.
        """
        self._give_up()

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """Called at every step of Tune, ten times a second at least."""
        if time.monotonic() > self._until:
            self._give_up()
        return super().choose_trial_to_run(tune_controller)

    def _give_up(self) -> None:
        """Leave it to Tune again: at the end of its step it ends the processes that wait."""
        if self._cache is not None:
            self._cache.decrease_max(self._request, by=self.parallel)
            self._cache = None
