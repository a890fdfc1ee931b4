"""Who may ask: a token for everything under the API, and no strange host names on loopback."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import StartRefused
from service.problems import problem
from service.settings import LOOPBACK, tighten

PUBLIC = frozenset({"/", "/livez", "/readyz", "/docs", "/openapi.json"})


def read_or_create_token(path: Path) -> str:
    """The token in the file `path`; at the first start a random one, readable by the owner only.

    Raises:
        StartRefused: the file is empty or cannot be read or made.
    """
    try:
        if not path.exists():
            _create(path, secrets.token_urlsafe(32))
        tighten(path, 0o600)
        token = path.read_text().strip()
    except OSError as error:
        raise StartRefused(f"token {path}", f"{error.strerror}", "Make it readable") from error
    if not token:
        raise StartRefused(f"token {path}", "it is empty", "Delete it; the next start makes one")
    return token


def _create(path: Path, token: str) -> None:
    """Whole or not at all; whoever comes second keeps the first one's."""
    part = path.with_name(f".token-{secrets.token_hex(8)}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(f"{token}\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(part, path)
        except FileExistsError:
            return
    finally:
        part.unlink()


class BearerToken:
    """Refuses every request without the token, but those for public paths."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401."""
        if scope["type"] != "http" or scope["path"] in PUBLIC or self._allows(scope):
            await self.app(scope, receive, send)
            return
        refusal = problem(
            401,
            "The request has no valid token",
            instance=scope["path"],
            next_step="Send the header 'Authorization: Bearer …' with the content of the file "
            "`token` in the server's data directory",
            headers={"WWW-Authenticate": "Bearer"},
        )
        await refusal(scope, receive, send)

    def _allows(self, scope: Scope) -> bool:
        scheme, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
        # Compared as bytes: compare_digest refuses text that is not ASCII.
        same = secrets.compare_digest(given.strip().encode(), self._token)
        return same and scheme.lower() == "bearer"


class LoopbackHosts:
    """Refuses other host names than loopback's: a page whose name was rebound to 127.0.0.1."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 421."""
        host = Headers(scope=scope).get("host", "") if scope["type"] == "http" else "localhost"
        if _name(host) in LOOPBACK:
            await self.app(scope, receive, send)
            return
        refusal = problem(
            421,
            "This server listens on loopback and answers to its names only",
            instance=scope["path"],
            next_step="Use http://127.0.0.1, or serve with --host to be reached by other names",
        )
        await refusal(scope, receive, send)


def _name(host: str) -> str:
    """The name in a Host header, without port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()
