"""The programs behind `resnas serve` and `resnas worker`."""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn
from sqlalchemy import make_url

from service.app import create_app
from service.errors import StartRefused
from service.lock import sole_owner
from service.settings import Settings
from service.store.migrate import migrate
from service.store.repository import Repository
from service.store.session import open_engine
from service.worker import CONNECTIONS, Worker

INTERRUPTED = 130


def serve(settings: Settings, announce: Callable[[str], None] = lambda _: None) -> int:
    """Answer HTTP requests until a signal ends it; returns the program's exit code.

    Args:
        settings: where to listen, and where the data lie.
        announce: given the URL as soon as it listens there.

    Raises:
        StartRefused: the port is busy, the data directory or the database cannot be used.
    """
    settings.prepare()
    _log_to_standard_error()
    with _listener(settings) as listener, _data(settings):
        migrate(settings.database)  # here, where its refusal can still be told clearly
        app = create_app(settings)
        port = listener.getsockname()[1]
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        url = f"http://{host}:{port}"
        _say(f"resnas listens on {url} (description: /docs)")
        _say(f"Data and token: {settings.data_dir}")
        announce(url)
        # uvicorn raises the signal once more when it is done; that must not end us half-way.
        signal.signal(signal.SIGTERM, lambda *_: None)
        server = uvicorn.Server(
            uvicorn.Config(
                app, log_config=None, access_log=False, timeout_graceful_shutdown=5, lifespan="on"
            )
        )
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:
            return INTERRUPTED
    return 0 if server.started else 1


def run_worker(settings: Settings, announce: Callable[[str], None] = lambda _: None) -> int:
    """Run jobs until a signal ends it; returns the program's exit code.

    Args:
        settings: where the data lie.
        announce: given the database's URL, without its password, as soon as it waits for jobs.

    Raises:
        StartRefused: the data directory or the database cannot be used, or a server uses them.
    """
    settings.prepare()
    _log_to_standard_error()
    stop = threading.Event()
    received: list[int] = []

    def end(number: int, _: object) -> None:
        received.append(number)
        stop.set()

    with _data(settings):
        migrate(settings.database)
        repository = Repository.connect(settings.database, CONNECTIONS)
        worker = Worker(settings, repository)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        _say(f"resnas worker {worker.owner} waits for jobs")
        announce(str(make_url(settings.database).set(query={})))
        worker.run(stop)
        repository.close()
    return INTERRUPTED if signal.SIGINT in received else 0


@contextlib.contextmanager
def _data(settings: Settings) -> Iterator[None]:
    """On SQLite this process alone uses the data directory and the database's file."""
    with contextlib.ExitStack() as held:
        if settings.on_sqlite:
            directory, file = settings.data_dir, _file(settings)
            held.enter_context(sole_owner(directory / "lock", f"data directory {directory}"))
            # Two data directories may share one file; and one file may have several names.
            beside = file.resolve().with_name(f"{file.resolve().name}.lock")
            held.enter_context(sole_owner(beside, f"database {file}"))
        yield


def _file(settings: Settings) -> Path:
    engine = open_engine(settings.database)  # it refuses what names no file
    engine.dispose()
    return Path(engine.url.database or "")


def _listener(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # The protocol is named so that asyncio turns Nagle's algorithm off: else answers wait 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        # Only now: two sockets may be bound to one port, but not listen on it.
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise StartRefused(
            f"{settings.host}:{settings.port}",
            f"cannot listen there: {error.strerror}",
            f"Pass another port, for example --port {settings.port + 1}, or stop what uses it",
        ) from error
    return listener


def _log_to_standard_error() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    logging.getLogger("resnas").setLevel(logging.INFO)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
