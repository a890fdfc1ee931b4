"""A server for as long as a program needs one: its own process, port and data directory."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from service import interpreter
from service.client import Client
from service.errors import StartRefused

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0


@dataclass(frozen=True)
class LocalServer:
    """Where the server is found.

    Attributes:
        url: on loopback.
        data_dir: its database, files, token and `server.log`.
    """

    url: str
    data_dir: Path

    def client(self) -> Client:
        """A client with this server's token."""
        return Client(self.url, (self.data_dir / "token").read_text().strip())


@contextmanager
def local_server(
    data_dir: Path, *, worker: bool = True, port: int | None = None
) -> Iterator[LocalServer]:
    """`resnas serve` for as long as the context lasts.

    It is told by arguments what it needs; the user's own settings, which may name another
    database or a cluster, are for another server.

    Args:
        data_dir: made where missing.
        worker: whether it runs jobs, too.
        port: to listen on; None: any free one.

    Raises:
        StartRefused: it did not start; the message quotes what it said last.
    """
    data_dir = data_dir.absolute()
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    port, log = port or _free_port(), data_dir / "server.log"
    server = LocalServer(f"http://127.0.0.1:{port}", data_dir)
    words = ("--host", "127.0.0.1", "--port", str(port), "--data-dir", str(data_dir))
    with log.open("wb") as file:
        process = subprocess.Popen(
            interpreter.command(
                "service.cli", "serve", *words, "--worker" if worker else "--no-worker"
            ),
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_ready(process, server, log)
        yield server
    finally:
        _stop(process)


_KEPT = ("RESNAS_EXECUTOR", "RESNAS_DATASETS_DIR", "RESNAS_BACKBONES_DIR")


def _environment() -> dict[str, str]:
    return {
        name: value
        for name, value in interpreter.environment().items()
        if name in _KEPT or not name.startswith("RESNAS_")
    }


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_until_ready(process: subprocess.Popen[bytes], server: LocalServer, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    with Client(server.url, token="") as anonymous:
        while not anonymous.ready():
            if process.poll() is not None or time.monotonic() > deadline:
                said = log.read_text(errors="replace").strip().splitlines()
                last = said[-1] if said else "it said nothing"
                raise StartRefused(f"server at {server.url}", last, f"See {log}")
            time.sleep(0.1)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
