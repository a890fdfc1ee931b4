"""A child process: started, listened to, asked to stop, in the end killed with all its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from resnas.results import Value
from service.messages import MESSAGE, STOP


class Child:
    """A running `service.driver`.

    Args:
        task: what it shall do.
        log: where its output goes, behind what is there already.
    """

    def __init__(self, task: Value, log: Path) -> None:
        listening, speaking = os.pipe()
        self._pipe = os.fdopen(listening)
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("ab") as output:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "service.driver", str(speaking)],
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    pass_fds=(speaking,),
                    start_new_session=True,  # its own group, so that all of it can be killed
                    text=True,
                )
        except BaseException:
            self._pipe.close()
            raise
        finally:
            os.close(speaking)
        self._tell(task.model_dump_json())

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def messages(self) -> Iterator[Value]:
        """What the process reports, until it has nothing more to say or is dead."""
        for line in self._pipe:
            if line.endswith("\n"):  # a last line without an end was cut off by its death
                yield MESSAGE.validate_json(line)

    def stop(self, grace: float) -> None:
        """Ask for an early end, and kill after `grace` seconds; returns at once."""
        self._tell(STOP)
        timer = threading.Timer(grace, self.kill)
        timer.daemon = True
        timer.start()

    def kill(self) -> None:
        """End the process and all that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Its exit status once it has ended; negative: the signal that killed it."""
        return self._process.wait()

    def close(self) -> None:
        """Kill what is left of it and free what this process holds."""
        self.kill()
        self._process.wait()
        self._pipe.close()
        if self._process.stdin:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()

    def _tell(self, line: str) -> None:
        with contextlib.suppress(BrokenPipeError, ValueError):  # dead or closed: nobody to tell
            assert self._process.stdin is not None
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
