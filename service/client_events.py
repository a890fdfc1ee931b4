"""Server-sent events at the client's end: read as they come, taken up again where they broke."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime

import httpx

from service.answers import Happening
from service.client_errors import ServerFailed, problem_of, unreachable
from service.client_sending import parse

PATIENCE = 60.0
"""Seconds without a server until its listener gives up; a restart takes fewer."""
_PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds before it is tried again: the first time, the second, ..., and ever after."""
_BUSY = (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE)

Told = Callable[[datetime | None], None]
"""Told from when the last data are as soon as nobody answers any more; null: somebody does."""


class Line:
    """The line to a server that may break, and is wanted again.

    Args:
        patience: seconds without an answer until it is given up; null: a minute.
        told: of its breaking and of its coming back.
    """

    def __init__(self, patience: float | None = None, told: Told = lambda _: None) -> None:
        self._patience = PATIENCE if patience is None else patience
        self._told = told
        self._heard, self._known = time.monotonic(), datetime.now(UTC)
        self._lost = False
        self._failures = 0

    @property
    def given_up(self) -> bool:
        """Whether nobody has answered for too long."""
        return time.monotonic() - self._heard > self._patience

    def answers(self) -> None:
        """Somebody answers, so what is known is as of now."""
        self._heard, self._known = time.monotonic(), datetime.now(UTC)
        if self._lost:
            self._lost = False
            self._told(None)

    def brings(self) -> None:
        """What was waited for has come."""
        self.answers()
        self._failures = 0

    def pause(self, *, lost: bool) -> None:
        """Wait before it is tried again, longer each time; `lost`: nobody answered at all."""
        if lost and not self._lost:
            self._lost = True
            self._told(self._known)
        time.sleep(_PAUSES[min(self._failures, len(_PAUSES) - 1)])
        self._failures += 1


def listen(
    http: httpx.Client, path: str, after: int, line: Line | None = None
) -> Iterator[Happening]:
    """The events of `path` behind the number `after`, until the server says that they are over.

    Raises:
        ServerUnreachable: nobody answered for as long as the line is waited for.
        ServerFailed: what comes are no events.
        ResnasError: the server refuses.
    """
    line = line or Line()
    while True:
        opened = False
        try:
            with http.stream("GET", path, headers=_asking(after)) as response:
                opened = response.status_code not in _BUSY
                if response.status_code == httpx.codes.NO_CONTENT:
                    return
                if opened or line.given_up:
                    _check(response, path)
                if opened:
                    line.answers()
                for event in _parsed(response.iter_lines(), path) if opened else ():
                    line.brings()
                    after = event.id
                    yield event
        except httpx.TransportError as error:
            if not opened and line.given_up:
                raise unreachable(str(http.base_url), error) from error
        if opened:
            line.answers()
        line.pause(lost=not opened)


def _asking(after: int) -> dict[str, str]:
    return {"Accept": "text/event-stream", "Last-Event-ID": str(after)}


def _check(response: httpx.Response, path: str) -> None:
    if not response.is_success:
        response.read()
        raise problem_of(response)
    kind = response.headers.get("Content-Type", "")
    if not kind.startswith("text/event-stream"):
        raise ServerFailed(path, f"the answer is {kind or 'nothing'}, no events", "Use a newer one")


def _parsed(lines: Iterable[str], path: str) -> Iterator[Happening]:
    """The events in the lines of a stream; one that is cut short is none."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        if name:
            fields[name] = value.removeprefix(" ")
        elif not line and "data" in fields:
            yield _event(fields, path)
            fields = {}


def _event(fields: dict[str, str], path: str) -> Happening:
    try:
        data = json.loads(fields["data"])
    except ValueError as error:
        raise ServerFailed(
            path, f"an event is no JSON: {error}", "Is it a resnas server?"
        ) from error
    return parse(Happening, fields | {"data": data}, path)
