"""What may be sent: no body that no job could need, and no JSON that two readers would read apart.

A body is read whole before anything else sees it, is small, and comes soon, so memory stays flat;
where no key was sent none is read, for nothing that is public wants one. JSON is refused here where
Python's reader would stumble (a depth of thousands), be silent (a member that stands there twice),
or let pass what cannot be stored or answered (NUL, half a surrogate pair).
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.principals import NOBODY
from service.problems import problem

MOST = 2**20
"""Bytes of a request's body."""

_BRACKETS = 256  # so that no reader runs out of stack
_COMMAS = 2000  # of which each wrong one would be told of
_BODY_SECONDS = 10
_DEPTH = 16
_DIGITS = 40
_NO_TEXT = re.compile(r"[\0\ud800-\udfff]")
_TOO_LARGE = f"The body has more than {MOST} bytes"


class RequestLimits:
    """Refuses larger bodies, at once where their length is announced, and JSON beyond reason."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 400, 408, 413 or 422."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = _unreadable(scope) or _announced(scope)
        if refusal is None and _has_body(scope):
            read = await _in_time(scope, receive)
            if isinstance(read, bytes):
                receive = _replayed(read, receive)
            else:
                refusal = read
        await (refusal or self.app)(scope, receive, send)


def fault(body: bytes) -> str | None:
    """What is wrong with a JSON document although it may be one; None: nothing, or no JSON."""
    if body.count(b"[") + body.count(b"{") > _BRACKETS:
        return f"The body opens more than {_BRACKETS} brackets"
    if body.count(b",") > _COMMAS:
        return f"The body has more than {_COMMAS} commas"
    try:
        _refuse_depth(json.loads(body, object_pairs_hook=_distinct, parse_int=_short))
    except _Refused as error:
        return str(error)
    except ValueError:  # whoever reads it next tells where it broke off
        return None
    return None


class _Refused(Exception):
    """Why a document is not taken."""


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        _refuse_characters(name)
        if name in found:
            raise _Refused(f"The member {name[:80]!r} stands there twice")
        found[name] = value
    return found


def _short(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise _Refused(f"A number has more than {_DIGITS} digits")
    return int(digits)


def _refuse_depth(document: Any) -> None:
    """See that a document is not nested deeper than any of ours, level by level."""
    level = [document]
    for _ in range(_DEPTH):
        below: list[Any] = []
        for value in level:
            if isinstance(value, str):
                _refuse_characters(value)
            elif isinstance(value, list):
                below += value
            elif isinstance(value, dict):
                below += value.values()
        level = below
    if level:
        raise _Refused(f"The body is nested deeper than {_DEPTH}")


def _refuse_characters(text: str) -> None:
    if _NO_TEXT.search(text):
        raise _Refused("A text has the character NUL, or half a surrogate pair")


def _unreadable(scope: Scope) -> Response | None:
    """A query with NUL, which no database takes; in the path it is the id of nothing."""
    if b"\0" not in unquote_to_bytes(scope.get("query_string", b"")):
        return None
    return problem(400, "The query has the character NUL", instance=scope["path"])


def _announced(scope: Scope) -> Response | None:
    announced = Headers(scope=scope).get("content-length", "")
    too_large = announced.isdecimal() and int(announced[:20]) > MOST
    return problem(413, _TOO_LARGE, instance=scope["path"]) if too_large else None


def _has_body(scope: Scope) -> bool:
    """Whether there is one that somebody may want."""
    if scope["state"]["principal"] is NOBODY:
        return False
    headers = Headers(scope=scope)
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


async def _in_time(scope: Scope, receive: Receive) -> Response | bytes:
    """The body, if it comes soon: what is held at a time is bounded by the rate of requests."""
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            return await _read(scope, receive)
    except TimeoutError:
        return problem(
            408,
            f"The body was not there after {_BODY_SECONDS} s",
            instance=scope["path"],
            next_step="Send it again, all at once",
            headers={"Connection": "close"},  # what still comes would be no request
        )


async def _read(scope: Scope, receive: Receive) -> Response | bytes:
    """The whole body, or why it is not taken."""
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":  # nobody reads what is answered
            return problem(400, "The body broke off", instance=scope["path"])
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MOST:
            return problem(413, _TOO_LARGE, instance=scope["path"])
    found = fault(bytes(body))
    if found is None:
        return bytes(body)
    members = {"place": "body", "found": found, "errors": [{"detail": found, "pointer": "#"}]}
    return problem(422, found, instance=scope["path"], kind="invalid-input", members=members)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """The body once more, then whatever comes behind it: that the client went away."""
    given = False

    async def next_message() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return next_message
