"""Tasks in processes of their own, scheduled by Ray Tune, on this machine or on a cluster."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from tempfile import TemporaryDirectory
from typing import Any

import ray
from ray import tune
from ray.tune.experiment import Trial
from ray.tune.search import Searcher
from ray.tune.stopper import Stopper

from resnas.errors import InvalidSpec
from resnas.executors._base import AbstractExecutor, Feed, Json, Work
from resnas.executors._cluster import connected, environment, quiet
from resnas.executors._running import reason, threads

_SETTINGS = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the caller keeps the results
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # an interrupt has to reach the caller
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",  # the feed is told
}


class RayTune(AbstractExecutor):
    """Each task is a Ray Tune trial, which has a process and its share of CPUs and GPUs.

    Ray retries nothing and keeps nothing. Tasks, reports and results cross as JSON text, so Tune
    neither interprets nor flattens them.

    Args:
        address: of a running Ray cluster, on whose machines this package is installed. None: use
            the Ray that the caller has started, or a private one on loopback for one run.
        parallel: tasks at the same time, at most; fewer where the cluster is smaller.
        cpus, gpus: what one task occupies, and with how many threads it computes.
    """

    def __init__(
        self,
        *,
        address: str | None = None,
        parallel: int = 1,
        cpus: float = 1,
        gpus: float = 0,
    ) -> None:
        super().__init__(parallel=parallel, cpus=cpus, gpus=gpus)
        self.address = address

    def run(self, feed: Feed, work: Work) -> None:
        """Run everything that `feed` has.

        Raises:
            InvalidSpec: no machine of the cluster is large enough for a single task.
            ConnectionError: there is no cluster at the address.
            RuntimeError: the feed waits for a running task, but none is running.
        """
        settings = _SETTINGS | {"TUNE_MAX_PENDING_TRIALS_PG": str(self.parallel)}
        with quiet(), environment(settings), connected(self.address):
            self._check_resources()
            with TemporaryDirectory(prefix="resnas-") as folder:
                self._tune(feed, work, folder)

    def _tune(self, feed: Feed, work: Work, folder: str) -> None:
        results: dict[int, list[Json]] = {}
        running: set[int] = set()
        tune.run(
            _trainable(work, self.cpus),
            search_alg=_FeedSearcher(feed, running, self.parallel),
            callbacks=[_FeedCallback(feed, running, results)],
            stop=_FeedStopper(feed),
            resources_per_trial={"cpu": self.cpus, "gpu": self.gpus},
            num_samples=-1,
            max_failures=0,
            raise_on_failed_trial=False,
            reuse_actors=True,  # a process needs seconds to import PyTorch
            storage_path=folder,
            trial_dirname_creator=lambda trial: trial.trial_id,
            verbose=0,
        )

    def _check_resources(self) -> None:
        asked = {"CPU": self.cpus, "GPU": self.gpus}
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if any(all(node.get(name, 0) >= n for name, n in asked.items()) for node in nodes):
            return
        found = "; ".join(f"{n.get('CPU', 0):g} CPUs, {n.get('GPU', 0):g} GPUs" for n in nodes)
        raise InvalidSpec(
            "search.cpus_per_trial, search.gpus_per_trial",
            f"a trial asks for {self.cpus:g} CPUs and {self.gpus:g} GPUs on one machine, "
            f"but the cluster has: {found}",
            "Ask for less, or add a machine that is large enough",
        )


class _FeedSearcher(Searcher):  # type: ignore[misc]
    """Tune asks it for trials; it asks the feed, and never holds more than `parallel`."""

    def __init__(self, feed: Feed, running: set[int], parallel: int) -> None:
        super().__init__()
        self.feed = feed
        self.running = running
        self.parallel = parallel

    def suggest(self, trial_id: str) -> Json | str | None:
        del trial_id
        if self.feed.should_stop():
            return str(Searcher.FINISHED)
        if len(self.running) >= self.parallel:
            return None
        try:
            task = self.feed.next()
        except StopIteration:
            return str(Searcher.FINISHED)
        if task is None:
            if not self.running:
                raise RuntimeError("the feed waits for a running task, but none is running")
            return None
        self.running.add(task["number"])
        return {"task": json.dumps(task)}

    def on_trial_complete(
        self, trial_id: str, result: Json | None = None, error: bool = False
    ) -> None:
        """The callback, which also hears reasons, does this."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing: a search resumes from the caller's own records, not from Tune's."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing; see `save`."""


class _FeedCallback(tune.Callback):  # type: ignore[misc]
    """Tells the feed what Tune hears from the trials."""

    def __init__(self, feed: Feed, running: set[int], results: dict[int, list[Json]]) -> None:
        self.feed = feed
        self.running = running
        self.results = results
        self.reasons: dict[int, str] = {}

    def on_trial_result(
        self, iteration: int, trials: Sequence[Trial], trial: Trial, result: Json, **info: Any
    ) -> None:
        number = _number(trial)
        if "report" in result:
            self.feed.report(number, json.loads(result["report"]))
        elif "results" in result:
            self.results[number] = json.loads(result["results"])
        elif "reason" in result:
            self.reasons[number] = result["reason"]

    def on_trial_complete(
        self, iteration: int, trials: Sequence[Trial], trial: Trial, **info: Any
    ) -> None:
        number = _number(trial)
        self.running.discard(number)
        self.feed.done(number, self.results.pop(number))

    def on_trial_error(
        self, iteration: int, trials: Sequence[Trial], trial: Trial, **info: Any
    ) -> None:
        number = _number(trial)
        self.running.discard(number)
        self.feed.failed(number, self.reasons.pop(number, None) or _death(trial))


class _FeedStopper(Stopper):  # type: ignore[misc]
    """Tune asks it at every step whether to end all trials."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed

    def __call__(self, trial_id: str, result: Json) -> bool:
        return False

    def stop_all(self) -> bool:
        return self.feed.should_stop()


def _number(trial: Trial) -> int:
    number: int = json.loads(trial.config["task"])["number"]
    return number


def _death(trial: Trial) -> str:
    """Why a trial ended that could not say it itself: Ray's first line, not its whole page."""
    error = trial.get_pickled_error() or trial.get_error()
    lines = str(error or "").strip().splitlines() or ["no reason is known"]
    return f"its process ended without an answer ({lines[0].rstrip('.')})"


def _trainable(work: Work, cpus: float) -> Callable[[Json], None]:
    """What runs in the trial's process: `work`, with Tune as its way to report."""

    def trial(config: Json) -> None:
        def report(message: Json) -> None:
            tune.report({"report": json.dumps(message)})

        try:
            with threads(cpus):
                results = work(json.loads(config["task"]), report)
            tune.report({"results": json.dumps(results)})
        except Exception as error:
            # raised again: a process in an unknown state (a broken GPU context) is not used again
            tune.report({"reason": reason(error)})
            raise

    return trial
