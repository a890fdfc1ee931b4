"""The child process of one job or export: does the work, reports over a pipe, knows no database.

Its standard input brings perhaps a line, `stop`. When that input ends, the worker is gone: nobody
listens any more, and the process ends with all that it started. (A signal would not do to ask for
the stop: Ray puts its own handlers over those of the program.)
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import TextIO

from resnas.backbones import own_from
from resnas.causes import NEXT_STEP, Cause, cause_of
from resnas.datasets._base import load
from resnas.errors import ResnasError
from resnas.executors._temporary import temporary
from resnas.exporting import export_trial
from resnas.results import EpochMetrics, TrialResult, Value
from resnas.searching import search
from resnas.storage import ArtifactStore
from service.errors import Failure
from service.heads import watch
from service.messages import (
    STOP,
    TASK,
    Crashed,
    Done,
    Epoch,
    ExportTask,
    Failed,
    File,
    SearchTask,
    Stopped,
    Trial,
)


class Reporter:
    """The observer of the search: writes what it hears into the pipe."""

    def __init__(self, pipe: TextIO) -> None:
        self._pipe = pipe
        self._writing = threading.Lock()
        self._stop = threading.Event()

    def on_epoch(self, metrics: EpochMetrics) -> None:
        """Pass the epoch on."""
        self.say(Epoch(metrics=metrics))

    def on_trial(self, result: TrialResult) -> None:
        """Pass the trial on."""
        self.say(Trial(result=result))

    def should_stop(self) -> bool:
        """Whether the worker asked for the end."""
        return self._stop.is_set()

    def say(self, message: Value) -> None:
        """One message, one line."""
        with self._writing:
            self._pipe.write(message.model_dump_json() + "\n")
            self._pipe.flush()

    def break_off(self, reason: str) -> None:
        """Say why it ends here and now, in the middle of whatever it waits for."""
        print(reason, file=sys.stderr, flush=True)  # noqa: T201 - into the job's log
        self.say(Crashed(reason=reason))
        _end_all()

    def follow(self, commands: TextIO) -> None:
        """Hear what the worker says until it is gone."""
        for line in commands:
            if line.strip() == STOP:
                self._stop.set()
        _end_all()


def main() -> None:
    """Do one task; the arguments are the descriptors of the pipe and of the task's file."""
    speaking, reading = (int(argument) for argument in sys.argv[1:])
    os.set_inheritable(speaking, False)
    logging.basicConfig(format="%(asctime)s %(name)s: %(message)s")
    logging.getLogger("resnas").setLevel(logging.INFO)
    with os.fdopen(speaking, "w") as pipe:
        reporter = Reporter(pipe)
        commands = _take_standard_input()
        threading.Thread(target=reporter.follow, args=(commands,), daemon=True).start()
        reporter.say(_outcome(reading, reporter))


def _outcome(reading: int, reporter: Reporter) -> Value:
    """What the task came to, its errors included."""
    try:
        with os.fdopen(reading) as file:
            task = TASK.validate_json(file.read())
        with own_from(task.backbones_dir):
            return _search(task, reporter) if task.kind == "search" else _export(task)
    except ResnasError as error:
        print(error, file=sys.stderr)  # noqa: T201 - into the job's log
        return Stopped() if reporter.should_stop() else Failed(failure=Failure.of(error))
    except Exception as error:  # noqa: BLE001 - whatever it was, the worker is told
        traceback.print_exc()
        return _crash(traceback.format_exception_only(error)[-1].strip()[-500:])


def _crash(found: str) -> Value:
    """A retry helps against what nobody thought of, but not against a full disk."""
    if cause_of(found) is not Cause.STORAGE_FULL:
        return Crashed(reason=found)
    step = NEXT_STEP[Cause.STORAGE_FULL]
    failure = Failure(place="storage", found=found, next_step=step, reason=Cause.STORAGE_FULL)
    return Failed(failure=failure)


def _search(task: SearchTask, reporter: Reporter) -> Value:
    if task.ray_address:
        watch(task.ray_address, reporter.break_off)
    search(
        task.spec,
        task.executor,
        reporter,
        datasets_dir=task.datasets_dir,
        artifacts=ArtifactStore(task.artifacts_dir),
        work_dir=task.work_dir,
        finished=task.finished,
        ray_address=task.ray_address,
        keeps_checkpoints=True,  # a report in the pipe is not yet in the database
    )
    return Stopped() if reporter.should_stop() else Done()


def _export(task: ExportTask) -> Value:
    artifacts = ArtifactStore(task.artifacts_dir)
    weights = artifacts.read(task.result.weights or "")
    with temporary("resnas-export-") as folder:
        target = Path(folder) / "export"
        manifest = export_trial(
            task.architecture,
            weights,
            target,
            (task.format,),
            result=task.result,
            multiple_of=task.multiple_of,
            dataset=load(task.dataset, task.datasets_dir) if task.multiple_of > 1 else None,
        )
        file = next(file for file in manifest.files if file.format == task.format)
        digest = artifacts.put((target / file.name).read_bytes())
    return File(name=file.name, size=file.bytes, sha256=digest, manifest=manifest)


def _take_standard_input() -> TextIO:
    """Standard input under another descriptor, so that no process started here can read it."""
    commands = os.fdopen(os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return commands


def _end_all() -> None:
    """End this process and, where it leads its own group, all that it started."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


if __name__ == "__main__":
    main()
