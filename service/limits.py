"""How much may be sent: a body that no job could need is refused before it fills the memory."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.problems import problem

MOST = 2**20
"""Bytes of a request's body."""


class BodyLimit:
    """Refuses larger bodies: at once where their length is announced, else while they come."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 413."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > MOST:
            refusal = problem(413, _TOO_LARGE, instance=scope["path"])
            await refusal(scope, receive, send)
            return
        await self.app(scope, _counted(receive), send)


def _counted(receive: Receive) -> Receive:
    received = 0

    async def next_part() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > MOST:
            raise HTTPException(413, _TOO_LARGE)
        return message

    return next_part


_TOO_LARGE = f"The body has more than {MOST} bytes"
