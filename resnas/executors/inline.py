"""Tasks one after the other in the calling process: for tests, notebooks and single machines."""

from __future__ import annotations

import json

from resnas.executors._base import AbstractExecutor, Feed, Json, Work
from resnas.executors._running import reason, threads


class Inline(AbstractExecutor):
    """Runs each task where it was called; `parallel` and `gpus` promise nothing here.

    What a task reports goes through JSON as it would between processes, so that a task which runs
    here also runs elsewhere.
    """

    def run(self, feed: Feed, work: Work) -> None:
        """Run task after task until the feed has no more or says stop.

        Raises:
            RuntimeError: the feed waits for a running task where none can run.
        """
        with threads(self.cpus):
            while not feed.should_stop():
                try:
                    task = feed.next()
                except StopIteration:
                    return
                if task is None:
                    raise RuntimeError("the feed waits for a running task, but none is running")
                self._run_one(feed, work, task)

    def _run_one(self, feed: Feed, work: Work, task: Json) -> None:
        number: int = task["number"]

        def report(message: Json) -> None:
            text = json.dumps(message)
            try:
                stop = feed.report(number, json.loads(text)) or feed.should_stop()
            except Exception as error:
                raise _Ended from error
            if stop:
                raise _Ended

        try:
            results = json.loads(json.dumps(work(task, report)))
        except _Ended as end:
            if end.__cause__ is not None:
                raise end.__cause__ from None
        except ConnectionError as error:  # a storage that is away is no fault of the task
            feed.lost(number, reason(error))
        except Exception as error:  # noqa: BLE001 - whatever a task raises is its own failure
            feed.failed(number, reason(error))
        else:
            feed.done(number, results)


class _Ended(BaseException):
    """Ends a task from within its report: the feed says so, or raised (the cause).

    No `except Exception` of the task may catch it, and it is no failure of the task.
    """
