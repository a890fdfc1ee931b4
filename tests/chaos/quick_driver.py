"""The program of a job that trains nothing: speaks like `service.driver`, imports no torch.

Its epochs are pauses. Everything around it is real: the worker, the pipe, the lease, the database.
"""

from __future__ import annotations

import os
import secrets
import signal
import sys
import threading
from typing import TextIO

from resnas.results import Value
from resnas.storage import ArtifactStore
from service.errors import Failure
from service.messages import STOP, TASK, Done, Epoch, Failed, SearchTask, Stopped, Trial
from tests.chaos import quick


def main() -> None:
    """Do one task; the arguments are the descriptors of the pipe and of the task's file."""
    speaking, reading = (int(argument) for argument in sys.argv[1:])
    stop = threading.Event()
    threading.Thread(target=_follow, args=(stop,), daemon=True).start()
    with os.fdopen(reading) as file:
        task = TASK.validate_json(file.read())
    assert isinstance(task, SearchTask)
    with os.fdopen(speaking, "w") as pipe:
        _say(pipe, _search(task, pipe, stop))


def _search(task: SearchTask, pipe: TextIO, stop: threading.Event) -> Value:
    """Every trial that has not finished yet, one after the other."""
    writer = secrets.randbits(48)  # a float holds it exactly
    done = {result.number for result in task.finished}
    for number in range(task.spec.trials or 0):
        if number in done:
            continue
        for epoch in range(1, task.spec.training.epochs + 1):
            if stop.wait(task.spec.training.batch_size / 1000):
                return Stopped()
            _say(pipe, Epoch(metrics=quick.epoch(task.spec, number, epoch, writer)))
        ArtifactStore(task.artifacts_dir).put(quick.weights(task.spec, number))
        _say(pipe, Trial(result=quick.result(task.spec, number, writer)))
        if quick.fails_at_first(task.spec) and not task.finished:
            failure = Failure(place="quick job", found="it fails at first", next_step="Retry it")
            return Failed(failure=failure)
    return Done()


def _say(pipe: TextIO, message: Value) -> None:
    pipe.write(message.model_dump_json() + "\n")
    pipe.flush()


def _follow(stop: threading.Event) -> None:
    """Hear what the worker says until it is gone."""
    for line in sys.stdin:
        if line.strip() == STOP:
            stop.set()
    os.killpg(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
