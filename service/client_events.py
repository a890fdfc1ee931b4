"""Server-sent events at the client's end: read as they come, taken up again where they broke."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator

import httpx

from service.answers import Happening
from service.client_errors import ServerFailed, problem_of, unreachable
from service.client_sending import parse

PATIENCE = 60.0
"""Seconds without a server until its listener gives up; a restart takes fewer."""
_PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds before it is tried again: the first time, the second, ..., and ever after."""


_BUSY = (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE)


def listen(http: httpx.Client, path: str, after: int) -> Iterator[Happening]:
    """The events of `path` behind the number `after`, until the server says that they are over.

    Raises:
        ServerUnreachable: nobody answered for a minute.
        ServerFailed: what comes are no events.
        ResnasError: the server refuses.
    """
    failures, heard = 0, time.monotonic()
    while True:
        opened = False
        try:
            with http.stream("GET", path, headers=_asking(after)) as response:
                opened = response.status_code not in _BUSY
                if response.status_code == httpx.codes.NO_CONTENT:
                    return
                if opened or time.monotonic() - heard > PATIENCE:
                    _check(response, path)
                for event in _parsed(response.iter_lines(), path) if opened else ():
                    failures, after = 0, event.id
                    yield event
        except httpx.TransportError as error:
            if not opened and time.monotonic() - heard > PATIENCE:
                raise unreachable(str(http.base_url), error) from error
        if opened:
            heard = time.monotonic()
        time.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
        failures += 1


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
