"""What runs in the process of one trial, and how the work gets there."""

from __future__ import annotations

import json
from collections.abc import Callable

from ray import cloudpickle, tune

from resnas.errors import InvalidSpec
from resnas.executors._base import Json, Work
from resnas.executors._running import reason, threads


def packed(work: Work) -> bytes:
    """`work` for other processes; it is opened in a trial, where a failing import can be told."""
    try:
        carried: bytes = cloudpickle.dumps(work)
    except Exception as error:
        raise InvalidSpec(
            "executor 'ray'",
            f"what a trial runs cannot be sent to another process: {reason(error)}",
            "Keep locks, open files and the like out of the function or class that builds the "
            "network, or search with executor='inline'",
        ) from error
    return carried


def trainable(carried: bytes, cpus: float) -> Callable[[Json], None]:
    """What runs in the trial's process: the packed work, with Tune as its way to report."""

    def trial(config: Json) -> None:
        task = json.loads(config["task"])

        def report(message: Json) -> None:
            tune.report({"report": json.dumps(message), "number": task["number"]})

        try:
            with threads(cpus):
                results = cloudpickle.loads(carried)(task, report)
            tune.report({"results": json.dumps(results)})
        except ConnectionError:
            raise  # a storage that is away is no fault of the trial: without a reason it is lost
        except Exception as error:
            # raised again: a process in an unknown state (a broken GPU context) is not used again
            tune.report({"reason": reason(error)})
            raise

    return trial
