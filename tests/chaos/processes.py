"""Programs that are started again whenever they die, and how to find what they started."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path


class Program:
    """A program, kept running: what a supervisor like systemd does.

    Args:
        words: its command line.
        environment: all of it.
        log: where its output goes.
        works: whether it does, given what it has said there since it was started.
    """

    def __init__(
        self,
        words: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        works: Callable[[str], bool],
    ) -> None:
        self.log = log
        self._works = works
        self._said = 0
        self.starts = 0
        self._words = words
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted = False
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        """Of the process that runs; None while there is none."""
        with self._lock:
            alive = self._process is not None and self._process.poll() is None
            return self._process.pid if alive and self._process else None

    @property
    def up(self) -> bool:
        """Whether it works, and does not only start."""
        if self.pid is None:
            return False
        with self.log.open() as log:
            log.seek(self._said)
            return self._works(log.read())

    def start(self) -> None:
        """Have it run from now on."""
        self._wanted = True
        self.keep()

    def keep(self) -> None:
        """Start it again where it has died."""
        with self._lock:
            if not self._wanted or (self._process and self._process.poll() is None):
                return
            self.starts += 1
            with self.log.open("ab") as log:
                self._said = log.tell()
                self._process = subprocess.Popen(
                    self._words,
                    env=dict(self._environment),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )

    def send(self, number: int) -> int | None:
        """Send a signal to it; returns its pid, None where there is no process."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                return None
            self._process.send_signal(number)
            return self._process.pid

    def hold(self, number: int = signal.SIGKILL) -> None:
        """End it, and do not start it again until `start`."""
        self._wanted = False
        if self.send(number):
            self.send(signal.SIGCONT)
            assert self._process is not None
            self._process.wait()


class Supervisor:
    """Starts again what died, looking several times a second."""

    def __init__(self, programs: Sequence[Program]) -> None:
        self._programs = programs
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor")

    def __enter__(self) -> Supervisor:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        for program in self._programs:
            program.hold(signal.SIGTERM)

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            for program in self._programs:
                program.keep()


def descendants(roots: Iterable[int]) -> list[int]:
    """The processes below these, as far as they live."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            fields = about(int(folder.name), "stat").rpartition(b")")[2].split()
            if len(fields) > 1 and fields[0] != b"Z":
                children.setdefault(int(fields[1]), []).append(int(folder.name))
    found: list[int] = []
    waiting = list(roots)
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def running(module: str, roots: Iterable[int]) -> list[int]:
    """The processes below `roots` in whose command line `module` is a word."""
    word = module.encode()
    return [pid for pid in descendants(roots) if word in about(pid, "cmdline").split(b"\0")]


def about(pid: int, file: str) -> bytes:
    """A file of /proc about a process; empty once it is dead."""
    try:
        return Path(f"/proc/{pid}/{file}").read_bytes()
    except OSError:
        return b""


@contextmanager
def starved(pid: int, share: float, period: float = 1.0) -> Iterator[None]:
    """Let a process run for this share of the time only, as on a machine that is overloaded."""
    over = threading.Event()

    def ration() -> None:
        while not over.is_set():
            send(pid, signal.SIGSTOP)
            over.wait((1 - share) * period)
            send(pid, signal.SIGCONT)
            over.wait(share * period)

    warden = threading.Thread(target=ration)
    warden.start()
    try:
        yield
    finally:
        over.set()
        warden.join()
        send(pid, signal.SIGCONT)


def send(pid: int | None, number: int) -> int | None:
    """Send a signal to a process; returns its pid, None where there is no such process."""
    try:
        if pid is not None:
            os.kill(pid, number)
    except ProcessLookupError:
        return None
    return pid
