"""How long idle processes of Ray Tune are kept; that they are, tests/contract shows with real ones.

Tune's own cache stands behind a controller that has nothing else.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("ray.tune")

from ray.tune.utils.object_cache import _ObjectCache

from resnas.executors import _keeping
from resnas.executors._keeping import KeepingScheduler

REQUEST = "one CPU"


class Controller:
    def __init__(self) -> None:
        self._actor_cache = _ObjectCache(may_keep_one=True)

    def get_trials(self) -> list[object]:
        return []

    def end(self, scheduler: KeepingScheduler, process: str) -> bool:
        """As Tune does when a trial ends: whether its process is kept."""
        scheduler.on_trial_complete(self, SimpleNamespace(placement_group_factory=REQUEST), {})
        return self._actor_cache.cache_object(REQUEST, process)

    def step(self, scheduler: KeepingScheduler) -> list[str]:
        """As Tune does at every step: the processes that are given up."""
        scheduler.choose_trial_to_run(self)
        return list(self._actor_cache.flush_cached_objects())


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(_keeping, "time", SimpleNamespace(monotonic=lambda: now.seconds))
    return now


def test_as_many_processes_are_kept_as_tasks_run_together_until_nobody_needed_them(clock):
    controller, scheduler = Controller(), KeepingScheduler(parallel=2)
    assert [controller.end(scheduler, process) for process in "abc"] == [True, True, False]
    clock.seconds += _keeping.IDLE_SECONDS
    assert controller.step(scheduler) == []
    clock.seconds += 1
    assert controller.step(scheduler) == ["a", "b"]


def test_each_end_begins_the_wait_again(clock):
    controller, scheduler = Controller(), KeepingScheduler(parallel=2)
    controller.end(scheduler, "a")
    clock.seconds += _keeping.IDLE_SECONDS
    assert controller.end(scheduler, "b")
    clock.seconds += _keeping.IDLE_SECONDS
    assert controller.step(scheduler) == []
    clock.seconds += 1
    assert controller.step(scheduler) == ["a", "b"]
    assert controller.end(scheduler, "c")
    assert controller.step(scheduler) == []


def test_a_task_that_failed_or_was_lost_ends_the_wait_of_all(clock):
    controller, scheduler = Controller(), KeepingScheduler(parallel=2)
    assert [controller.end(scheduler, process) for process in "ab"] == [True, True]
    scheduler.on_trial_error(controller, SimpleNamespace())
    assert controller.step(scheduler) == ["a", "b"]
    assert controller.end(scheduler, "c")


def test_a_tune_without_that_cache_starts_processes_anew(clock):
    scheduler = KeepingScheduler(parallel=2)
    scheduler.on_trial_complete(object(), SimpleNamespace(placement_group_factory=REQUEST), {})
    assert scheduler.choose_trial_to_run(Controller()) is None
