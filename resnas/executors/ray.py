# ruff: noqa: ARG002 - Tune prescribes what its callbacks are given
"""Tasks in processes of their own, scheduled by Ray Tune, on this machine or on a cluster."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.experiment import Trial
from ray.tune.search import Searcher
from ray.tune.stopper import Stopper

from resnas.errors import InvalidSpec
from resnas.executors._base import AbstractExecutor, Feed, Json, Work
from resnas.executors._cluster import connected, environment, quiet
from resnas.executors._keeping import KeepingScheduler
from resnas.executors._temporary import temporary
from resnas.executors._trainable import packed, trainable

_SETTINGS = {
    "RAY_AIR_NEW_OUTPUT": "0",  # the new console prints tables however low its verbosity
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the caller keeps the results
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # an interrupt has to reach the caller
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",  # the feed is told
}

_log = logging.getLogger("resnas.executors")
_ERROR_LINE = re.compile(r"^(?:ray\.exceptions\.)?((?!ActorDied)\w+Error: .+)$", re.MULTILINE)


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
            InvalidSpec: no machine of the cluster is large enough for a single task, or `work`
                cannot be sent to other processes.
            ConnectionError: there is no cluster at the address.
            RuntimeError: the feed waits for a running task, but none is running.
        """
        carried = packed(work)
        settings = _SETTINGS | {"TUNE_MAX_PENDING_TRIALS_PG": str(self.parallel)}
        with quiet(), environment(settings), connected(self.address):
            self._check_resources()
            with temporary("resnas-tune-") as folder:
                self._tune(feed, carried, folder)

    def _tune(self, feed: Feed, carried: bytes, folder: str) -> None:
        trials = _Trials(feed)
        try:
            tune.run(
                trainable(carried, self.cpus),
                search_alg=_FeedSearcher(feed, trials, self.parallel),
                scheduler=KeepingScheduler(self.parallel),
                callbacks=[trials],
                stop=_FeedStopper(trials),
                resources_per_trial={"cpu": self.cpus, "gpu": self.gpus},
                num_samples=-1,
                max_failures=0,
                raise_on_failed_trial=False,
                reuse_actors=True,  # a process needs seconds to import PyTorch
                storage_path=folder,
                trial_dirname_creator=lambda trial: trial.trial_id,
                verbose=0,
            )
        finally:
            trials.kill()
        if trials.error is not None:
            raise trials.error

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


class _Trials(tune.Callback):  # type: ignore[misc]
    """What Tune tells of its trials, told to the feed.

    Attributes:
        running: numbers of the tasks that have been handed out and not ended.
        stopping: whether the run is being ended early.
        error: what the feed raised; it ends the run, and is raised where Tune cannot wrap it.
    """

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.running: set[int] = set()
        self.stopping = False
        self.error: Exception | None = None
        self._trials: Sequence[Trial] = ()
        self._results: dict[int, list[Json]] = {}
        self._reasons: dict[int, str] = {}
        self._placed: set[str] = set()

    def on_step_begin(self, iteration: int, trials: Sequence[Trial], **info: Any) -> None:
        self._trials = trials
        self._tell(self._ask_whether_to_stop)
        if self.stopping or self.error is not None:
            self.stopping = True
            self.kill()

    def on_trial_result(
        self, iteration: int, trials: Sequence[Trial], trial: Trial, result: Json, **info: Any
    ) -> None:
        number = _number(trial)
        if trial.trial_id not in self._placed:
            self._placed.add(trial.trial_id)
            _log.info("trial %d runs on %s", number, result.get("node_ip"))
        if "results" in result:
            self._results[number] = json.loads(result["results"])
        elif "reason" in result:
            self._reasons[number] = result["reason"]

    def on_trial_complete(
        self, iteration: int, trials: Sequence[Trial], trial: Trial, **info: Any
    ) -> None:
        number = _number(trial)
        self.running.discard(number)
        if number in self._results:  # or else it was ended by the feed
            self._tell(lambda: self.feed.done(number, self._results.pop(number)))

    def on_trial_error(
        self, iteration: int, trials: Sequence[Trial], trial: Trial, **info: Any
    ) -> None:
        number = _number(trial)
        self.running.discard(number)
        if not self.stopping:
            why = self._reasons.pop(number, None)
            if why is not None:
                self._tell(lambda: self.feed.failed(number, why))
            else:
                self._tell(lambda: self.feed.lost(number, _death(trial)))

    def report(self, number: int, message: Json) -> bool:
        """Tell the feed what a task said; whether that task is to be ended."""
        answers: list[bool] = []
        self._tell(lambda: answers.append(self.feed.report(number, message)))
        return any(answers)

    def _ask_whether_to_stop(self) -> None:
        self.stopping = self.stopping or self.feed.should_stop()

    def _tell(self, call: Callable[[], None]) -> None:
        """Call the feed, unless it has raised before."""
        if self.error is None:
            try:
                call()
            except Exception as error:  # noqa: BLE001 - raised again at the end of the run
                self.error = error

    def kill(self) -> None:
        """End the processes of all trials now; Tune alone would give each ten seconds."""
        for trial in self._trials:
            if trial.temporary_state.ray_actor is not None:
                ray.kill(trial.temporary_state.ray_actor)


class _FeedSearcher(Searcher):  # type: ignore[misc]
    """Tune asks it for trials; it asks the feed, and never holds more than `parallel`."""

    def __init__(self, feed: Feed, trials: _Trials, parallel: int) -> None:
        super().__init__()
        self.feed = feed
        self.trials = trials
        self.parallel = parallel

    def suggest(self, trial_id: str) -> Json | str | None:
        del trial_id
        running = self.trials.running
        if self.trials.stopping or self.trials.error is not None:
            return str(Searcher.FINISHED)
        if len(running) >= self.parallel:
            return None
        try:
            task = self.feed.next()
        except StopIteration:
            return str(Searcher.FINISHED)
        except Exception as error:  # noqa: BLE001 - raised again at the end of the run
            self.trials.error = error
            return str(Searcher.FINISHED)
        if task is not None:
            running.add(task["number"])
            return {"task": json.dumps(task)}
        if not running:
            raise RuntimeError("the feed waits for a running task, but none is running")
        return None

    def on_trial_complete(
        self, trial_id: str, result: Json | None = None, error: bool = False
    ) -> None:
        """`_Trials`, which also hears reasons, does this."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing: a search resumes from the caller's own records, not from Tune's."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing; see `save`."""


class _FeedStopper(Stopper):  # type: ignore[misc]
    """Tune asks it at every step whether to end all trials, and at every report whether that one.

    Tune asks before it tells its callbacks, so this is where reports are passed on.
    """

    def __init__(self, trials: _Trials) -> None:
        self.trials = trials

    def __call__(self, trial_id: str, result: Json) -> bool:
        if "report" not in result:
            return False
        return self.trials.report(result["number"], json.loads(result["report"]))

    def stop_all(self) -> bool:
        return self.trials.stopping

    def __reduce__(self) -> tuple[type[object], tuple[()]]:
        """Into Tune's experiment checkpoint, from which nothing is restored, goes no feed.

        A feed may hold what cannot be pickled: a lock, a pipe, a progress bar.
        """
        return (object, ())


def _number(trial: Trial) -> int:
    number: int = json.loads(trial.config["task"])["number"]
    return number


def _death(trial: Trial) -> str:
    """Why a trial ended that could not say it itself: the last error named in Ray's page on it."""
    page = Path(trial.error_file)
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    named: list[str] = _ERROR_LINE.findall(text)
    why = named[-1] if named else "killed or crashed"
    gone = "its node has died" in text
    return "its machine is gone" if gone else f"its process ended without an answer: {why}"
