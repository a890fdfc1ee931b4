from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from resnas.catalog import executors
from resnas.errors import InvalidSpec
from resnas.executors._base import AbstractExecutor, Json
from tests.contract import executor_tasks

PROCESSES = tuple(name for name in executors.names() if name != "inline")
Made = Callable[..., AbstractExecutor]


class Listing:
    """A feed of given tasks that keeps what it is told, in order."""

    def __init__(self, tasks: list[Json], stop_after: int | None = None) -> None:
        self.tasks = list(tasks)
        self.stop_after = stop_after
        self.ending: set[tuple[int, object]] = set()
        self.told: list[tuple[str, int, object]] = []

    def next(self) -> Json | None:
        if not self.tasks:
            raise StopIteration
        task = self.tasks.pop(0)
        self.told.append(("next", task["number"], None))
        return task

    def report(self, number: int, message: Json) -> bool:
        self.told.append(("report", number, message))
        return (number, message["epoch"]) in self.ending

    def done(self, number: int, results: list[Json]) -> None:
        self.told.append(("done", number, results))

    def failed(self, number: int, reason: str) -> None:
        self.told.append(("failed", number, reason))

    def lost(self, number: int, reason: str) -> None:
        self.told.append(("lost", number, reason))

    def should_stop(self) -> bool:
        return self.stop_after is not None and len(self.of("report")) >= self.stop_after

    def of(self, kind: str) -> list[tuple[int, object]]:
        return [(number, what) for told, number, what in self.told if told == kind]


class Chain(Listing):
    """Hands out a task only when the one before has ended."""

    def next(self) -> Json | None:
        ended = len(self.of("done")) + len(self.of("failed"))
        return super().next() if ended == len(self.of("next")) else None


class Pairs(Listing):
    """Hands out two tasks, and the next two when both have ended."""

    def next(self) -> Json | None:
        handed, ended = len(self.of("next")), len(self.of("done"))
        return super().next() if handed % 2 or handed == ended else None


@pytest.fixture(scope="module")
def shared_ray() -> Iterator[None]:
    """One private Ray for all tests of this module: executors use what is initialised."""
    cluster = pytest.importorskip("resnas.executors._cluster")
    with cluster.connected(None):
        yield


@pytest.fixture(params=executors.names())
def executor(request: pytest.FixtureRequest) -> Made:
    if request.param != "inline":
        request.getfixturevalue("shared_ray")
    return executors[request.param]


@pytest.fixture(params=PROCESSES)
def process_executor(request: pytest.FixtureRequest, shared_ray: None) -> Made:
    return executors[request.param]


def numbered(count: int, **more: object) -> list[Json]:
    return [{"number": number, "epochs": 2} | more for number in range(count)]


def test_tasks_run_in_order_and_reports_arrive_between_start_and_end(executor):
    feed = Listing(numbered(2))
    executor().run(feed, executor_tasks.count)
    reports = [{"epoch": epoch, "sizes": {"a.b": [4, 4]}} for epoch in range(2)]
    expected = []
    for number in range(2):
        expected.append(("next", number, None))
        expected += [("report", number, message) for message in reports]
        expected.append(("done", number, [{"number": number, "threads": 1}]))
    assert feed.told == expected


def test_failing_tasks_are_told_in_one_line_and_the_others_complete(executor):
    feed = Listing(numbered(3))
    executor(parallel=2).run(feed, executor_tasks.fail)
    raised, unfit = sorted(feed.of("failed"))
    assert raised == (1, "ValueError: no such thing: a unicorn")
    assert unfit == (2, "TypeError: Object of type set is not JSON serializable")
    assert [number for number, _ in feed.of("done")] == [0]


def test_a_task_whose_storage_is_away_is_lost_and_the_others_complete(executor):
    feed = Listing(numbered(2))
    executor().run(feed, executor_tasks.lose_touch)
    ((number, reason),) = feed.of("lost")
    assert number == 0
    assert "the bucket is away" in reason
    assert feed.of("failed") == []
    assert feed.of("done") == [(1, [{"number": 1}])]


def test_a_task_may_wait_for_the_end_of_another(executor):
    feed = Chain(numbered(3))
    executor(parallel=2).run(feed, executor_tasks.count)
    kinds = [(kind, number) for kind, number, _ in feed.told if kind != "report"]
    assert kinds == [(kind, number) for number in range(3) for kind in ("next", "done")]


def test_a_feed_that_waits_for_nothing_is_an_error_not_a_hang(executor):
    class Waiting(Listing):
        def next(self) -> Json | None:
            return None

    with pytest.raises(RuntimeError, match="none is running"):
        executor().run(Waiting([]), executor_tasks.count)


def test_a_task_that_the_feed_ends_is_told_of_no_more_and_the_others_complete(executor):
    feed = Listing(numbered(3, epochs=3))
    feed.ending = {(1, 0)}
    executor(parallel=1).run(feed, executor_tasks.count)
    assert [message["epoch"] for number, message in feed.of("report") if number == 1] == [0]
    assert [number for number, _ in feed.of("done")] == [0, 2]
    assert feed.of("failed") == []


def test_the_folder_of_a_private_ray_is_marked_as_in_use(shared_ray):
    from ray._private import worker

    from resnas.executors._temporary import IN_USE

    assert Path(worker._global_node.get_temp_dir_path(), IN_USE).exists()


def test_an_empty_feed_is_no_error(executor):
    feed = Listing([])
    executor().run(feed, executor_tasks.count)
    assert feed.told == []


def test_a_stop_ends_running_tasks_and_starts_no_other(executor):
    feed = Listing(numbered(3), stop_after=2)
    executor().run(feed, executor_tasks.talk_forever)
    assert feed.of("next") == [(0, None)]
    assert feed.of("done") == feed.of("failed") == []


def test_an_error_of_the_feed_reaches_the_caller(executor):
    class Broken(Listing):
        def report(self, number: int, message: Json) -> None:  # noqa: ARG002
            raise ConnectionResetError("the pipe is gone")

    with pytest.raises(ConnectionResetError):
        executor().run(Broken(numbered(1)), executor_tasks.talk_forever)


def test_a_task_computes_with_its_cpus_and_the_caller_keeps_its_own(executor):
    before = torch.get_num_threads()
    feed = Listing(numbered(1))
    executor(cpus=min(2, os.cpu_count() or 1)).run(feed, executor_tasks.count)
    ((_, results),) = feed.of("done")
    assert results == [{"number": 0, "threads": min(2, os.cpu_count() or 1)}]
    assert torch.get_num_threads() == before


def test_two_tasks_run_at_the_same_time_and_in_their_processes_the_next_two(
    process_executor, tmp_path: Path
):
    feed = Pairs(numbered(6, folder=str(tmp_path)))
    process_executor(parallel=2, cpus=0.5).run(feed, executor_tasks.meet)
    assert sorted(number for number, _ in feed.of("done")) == list(range(6))
    assert len({results[0]["process"] for _, results in feed.of("done")}) == 2


@pytest.mark.chaos
def test_processes_that_die_while_they_wait_cost_the_next_task_one_loss(
    process_executor, tmp_path: Path
):
    class Hunter(Listing):
        """Kills all processes after four tasks; then gives one at a time, a lost one again."""

        def next(self) -> Json | None:
            handed, done = len(self.of("next")), self.of("done")
            if handed < 4:
                return super().next()
            if handed > len(done) + len(self.of("lost")):
                return None
            if handed == 4:
                for _, results in done:
                    os.kill(results[0]["process"], signal.SIGKILL)
            return super().next()

        def lost(self, number: int, reason: str) -> None:
            super().lost(number, reason)
            self.tasks = numbered(6, folder=str(tmp_path))[number:]

    (tmp_path / "5").touch()  # whom task 4 meets
    feed = Hunter(numbered(6, folder=str(tmp_path)))
    process_executor(parallel=4, cpus=0.25).run(feed, executor_tasks.meet)
    assert [number for number, _ in feed.of("lost")] == [4]
    assert sorted(number for number, _ in feed.of("done")) == list(range(6))


def test_a_killed_process_is_told_and_the_others_complete(process_executor, capfd):
    feed = Listing(numbered(2))
    process_executor().run(feed, executor_tasks.die)
    ((number, reason),) = feed.of("lost")
    assert number == 0
    assert reason.startswith("its process ended without an answer")
    assert "\n" not in reason
    assert feed.of("done") == [(1, [{"number": 1}])]
    assert feed.of("failed") == []
    assert capfd.readouterr().out == ""


def test_a_stop_does_not_wait_for_a_task_that_never_reports_again(process_executor):
    feed = Listing(numbered(1), stop_after=1)
    process_executor().run(feed, executor_tasks.compute_forever)
    assert feed.of("done") == feed.of("failed") == []


def test_more_than_any_machine_has_is_refused(process_executor):
    with pytest.raises(InvalidSpec, match="1e\\+06 CPUs"):
        process_executor(cpus=1e6).run(Listing(numbered(1)), executor_tasks.count)


def test_ray_is_private_and_leaves_nothing_behind(shared_ray, tmp_path, monkeypatch):
    ray = pytest.importorskip("ray")
    assert ray.nodes()[0]["NodeManagerAddress"] == "127.0.0.1"
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # other tests have theirs elsewhere
    before = dict(os.environ)
    executors["ray"]().run(Listing(numbered(1)), executor_tasks.count)
    assert dict(os.environ) == before
    assert list(tmp_path.iterdir()) == []
    assert ray.is_initialized()


def test_listing_executors_does_not_import_ray():
    program = (
        "import sys; from resnas.catalog import executors; import resnas.executors.inline;"
        "print(executors.names(), 'ray' in sys.modules)"
    )
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    ).stdout
    assert "'ray'" in output
    assert output.endswith("False\n")
