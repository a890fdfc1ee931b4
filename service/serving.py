"""The programs behind `resnas serve` and `resnas worker`."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
import time
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI
from sqlalchemy import make_url

from service.app import create_app
from service.auth import read_or_create_token
from service.errors import StartRefused
from service.exposure import check_exposure
from service.heads import check_cluster
from service.lock import note_address, sole_user
from service.logs import log_to_standard_error, read_by_machines, tell
from service.observing import Traffic
from service.settings import Settings
from service.store.care import Care
from service.store.repository import Repository
from service.sweeping import sign
from service.upkeep import Upkeep, take_away
from service.worker import Worker, own_repository

INTERRUPTED = 130
GRACE = 5.0
"""Seconds that a server which shall end goes on with what it was asked."""
_LOOK = 0.05
_HEADER_BYTES = 2**16
_IDLE_SECONDS = 5


def serve(settings: Settings, announce: Callable[[str], None] = lambda _: None) -> int:
    """Answer HTTP requests until a signal ends it; returns the program's exit code.

    Args:
        settings: where to listen, and where the data lie.
        announce: given the URL as soon as it listens there.

    Raises:
        StartRefused: the port is busy, the data directory or the database cannot be used.
    """
    settings.prepare()
    log_to_standard_error(settings.log_format)
    with sole_user(settings), _listener(settings) as listener:
        port = listener.getsockname()[1]
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        url = f"http://{host}:{port}"
        # Now that both are there, a client that comes while all else is prepared waits and gets in.
        token = read_or_create_token(settings.token_path)
        note_address(settings, url)
        _open(settings)  # here, where its refusal can still be told clearly
        check_exposure(settings)
        if settings.worker:
            check_cluster(settings)
        app = create_app(settings)
        tell(f"resnas listens on {url} (description: /docs)")
        tell(f"Data and token: {settings.data_dir}")
        if not read_by_machines():
            tell(f"Open the dashboard in a browser: {url}/#token={token}")
        announce(url)
        # uvicorn raises the signal once more when it is done; that must not end us half-way.
        signal.signal(signal.SIGTERM, lambda *_: None)
        server = _Server(configuration(app), app.state.stopping, app.state.traffic)
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:
            return INTERRUPTED
    return 0 if server.started else 1


def configuration(app: FastAPI) -> uvicorn.Config:
    """How `app` is served: a client that says nothing, or never ends its headers, costs little."""
    return uvicorn.Config(
        app,
        http="h11",  # the other one, httptools, takes headers without end
        h11_max_incomplete_event_size=_HEADER_BYTES,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=1,
        proxy_headers=False,  # anybody can send them, and they name whose requests are counted
        log_config=None,
        access_log=False,
        lifespan="on",
    )


class _Server(uvicorn.Server):
    """Ends gracefully: it says that it is not ready, answers what was asked, then closes."""

    def __init__(self, config: uvicorn.Config, stopping: threading.Event, traffic: Traffic) -> None:
        super().__init__(config)
        self._stopping = stopping
        self._traffic = traffic

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal came: `/readyz` says so from now on, and streams of events end."""
        self._stopping.set()
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wait until nothing is being answered, with an open door; then close it."""
        self._stopping.set()
        deadline = time.monotonic() + GRACE
        while self._traffic.open and not self.force_exit and time.monotonic() < deadline:
            await asyncio.sleep(_LOOK)
        await super().shutdown(sockets)


def run_worker(settings: Settings, announce: Callable[[str], None] = lambda _: None) -> int:
    """Run jobs until a signal ends it; returns the program's exit code.

    Args:
        settings: where the data lie.
        announce: given the database's URL, without its password, as soon as it waits for jobs.

    Raises:
        StartRefused: the data directory or the database cannot be used, or a server uses them; or
            the Ray cluster must not be joined.
    """
    settings.prepare()
    log_to_standard_error(settings.log_format)
    stop = threading.Event()
    received: list[int] = []

    def end(number: int, _: object) -> None:
        received.append(number)
        stop.set()

    check_cluster(settings)
    with sole_user(settings):
        _open(settings)
        repository = own_repository(settings)
        worker, upkeep = Worker(settings, repository), Upkeep(settings, repository)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        tell(f"resnas worker {worker.name} waits for jobs")
        announce(str(make_url(settings.database).set(query={})))
        upkeep.start()
        worker.run(stop)
        upkeep.stop()
        repository.close()
    return INTERRUPTED if signal.SIGINT in received else 0


def _open(settings: Settings) -> None:
    """Bring the database up to date; on SQLite nobody works on anything yet."""
    repository = Repository.open(settings.database, durable=settings.durable)
    try:
        if settings.on_sqlite:
            take_away(repository, whoever=True)
            repository.requests.forget_unanswered()
        if not sign(settings.artifacts, Care(repository.database)):
            tell(f"{settings.artifacts.url} is another database's, too: no file there is deleted")
    finally:
        repository.close()


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
