"""A child process: started, listened to, asked to stop, in the end killed with all its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from resnas.results import Value
from service import interpreter
from service.messages import MESSAGE, STOP


class Child:
    """A process that does one task, before, while and after it runs.

    One thread calls `start`, `messages`, `wait` and `close`; any thread may call the others, at
    any time.

    Args:
        log: where its output goes, behind what is there already.
        module: the program: it speaks as `service.messages` says.
    """

    def __init__(self, log: Path, module: str) -> None:
        self._log = log
        self._module = module
        self._process: subprocess.Popen[str] | None = None
        self._pipe: TextIO | None = None
        self._timers: list[threading.Timer] = []
        self._unwanted = False  # killed, perhaps before it was started
        self._closed = False
        self._lock = threading.Lock()  # so that no signal goes to a pid that was freed

    @property
    def pid(self) -> int | None:
        """Process id; None before it is started."""
        return self._process.pid if self._process else None

    def start(self, task: Value) -> None:
        """Have it do `task`.

        The task goes as a file without a name: a pipe would hold up whoever writes a long one
        until the process has imported all it needs.

        Raises:
            OSError: no process, file or descriptor is to be had.
        """
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile() as file, self._log.open("ab") as output:
            file.write(task.model_dump_json().encode())
            file.seek(0)
            listening, speaking = os.pipe()
            self._pipe = os.fdopen(listening)
            try:
                process = subprocess.Popen(
                    interpreter.command(self._module, str(speaking), str(file.fileno())),
                    env=interpreter.environment(),
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    pass_fds=(speaking, file.fileno()),
                    start_new_session=True,  # its own group, so that all of it can be killed
                    text=True,
                )
            finally:
                os.close(speaking)
        with self._lock:
            self._process = process
            if self._unwanted:
                self._kill_group()

    def messages(self) -> Iterator[Value]:
        """What the process reports, until it has nothing more to say or is dead."""
        assert self._pipe is not None
        for line in self._pipe:
            if line.endswith("\n"):  # a last line without an end was cut off by its death
                yield MESSAGE.validate_json(line)

    def stop(self, grace: float) -> None:
        """Ask for an early end, and kill after `grace` seconds; returns at once."""
        with self._lock:
            if self._closed:
                return
            self._tell(STOP)
            timer = threading.Timer(grace, self.kill)
            timer.daemon = True
            self._timers.append(timer)
            timer.start()

    def kill(self) -> None:
        """End the process and all that it started; one that has not started yet never works."""
        with self._lock:
            self._unwanted = True
            self._kill_group()

    def wait(self) -> int:
        """Its exit status once it has ended, and all that it started; negative: the signal."""
        assert self._process is not None
        if self._process.returncode is None:
            # Not reaped before its group is killed: until then nobody else can get its number.
            os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        with self._lock:
            self._kill_group()
            return self._process.wait()

    def close(self) -> None:
        """Kill what is left of it and free what this process holds."""
        if self._process:
            self.kill()
            self.wait()
        with self._lock:
            self._closed = True
            for timer in self._timers:
                timer.cancel()
        if self._pipe:
            self._pipe.close()
        if self._process and self._process.stdin:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()

    def _kill_group(self) -> None:
        if self._process and self._process.returncode is None:
            # PermissionError: on some systems, where only the dead leader is left in the group
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _tell(self, line: str) -> None:
        if self._process and self._process.stdin:
            with contextlib.suppress(BrokenPipeError, ValueError):  # dead: nobody to tell
                self._process.stdin.write(f"{line}\n")
                self._process.stdin.flush()
