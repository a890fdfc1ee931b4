"""Every request has an id, a line in the log and a place in the figures; no fault is unanswered."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import threading
import time
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import metrics
from service.logs import REQUEST_ID
from service.problems import ending, unexpected

HEADER = "X-Request-ID"
_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,64}")
_OFTEN = frozenset({"/livez", "/readyz", "/metrics"})
"""What is asked every few seconds by machines, and of no interest in a log."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_access = logging.getLogger("resnas.access")
_log = logging.getLogger("resnas.service")


class Traffic:
    """How many requests are being answered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = 0

    @property
    def open(self) -> int:
        """Requests whose answer has not ended."""
        return self._open

    def add(self, change: int) -> None:
        """Count one more, or one less."""
        with self._lock:
            self._open += change


class Observed:
    """The outermost layer: what any other answers passes through here."""

    def __init__(self, app: ASGIApp, traffic: Traffic) -> None:
        self.app = app
        self.traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and tell of its answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        request_id = given if _ACCEPTED.fullmatch(given) else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        bound = REQUEST_ID.set(request_id)
        self.traffic.add(1)
        try:
            await self._answer(scope, receive, send, request_id)
        finally:
            self.traffic.add(-1)
            REQUEST_ID.reset(bound)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        begun = first = time.perf_counter()
        status = 0

        async def send_on(message: Message) -> None:
            nonlocal status, first
            if message["type"] == "http.response.start":
                status, first = message["status"], time.perf_counter()
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        try:
            await self.app(scope, receive, send_on)
        except asyncio.CancelledError:
            if status:
                raise
            await ending(scope["path"])(scope, receive, send_on)
        except Exception:
            _log.exception("%s %s", scope["method"], scope["path"])
            if status:  # the answer is half sent: the connection's end says that it is torn
                raise
            await unexpected(scope["path"])(scope, receive, send_on)
        finally:
            # A stream is answered when it begins, whenever it ends.
            _tell(scope, status, first - begun, time.perf_counter() - begun)


def _tell(scope: Scope, status: int, first: float, last: float) -> None:
    """The request in the log and in the figures; a path without a route has no name of its own."""
    route = getattr(scope.get("route"), "path_format", "") or "none"
    method = scope["method"] if scope["method"] in _METHODS else "other"
    metrics.request_answered(method, route, status, first)
    principal = scope["state"].get("principal")
    facts = {
        "method": method,
        "route": route,
        "status": status,
        "ms": round(last * 1000, 1),
        "owner": getattr(principal, "owner", "") or None,
    }
    level = logging.DEBUG if route in _OFTEN and status < HTTPStatus.BAD_REQUEST else logging.INFO
    _access.log(level, "%(method)s %(route)s %(status)s %(ms)s ms %(owner)s", facts, extra=facts)
