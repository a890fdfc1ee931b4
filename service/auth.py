"""Who may ask, and for what: a token or an API key for everything but a few public paths."""

from __future__ import annotations

import logging
import math
import os
import secrets
from functools import partial
from ipaddress import IPv6Address, ip_address
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import Headers, QueryParams
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Request

from service.errors import StartRefused
from service.keyring import Keyring
from service.keys import digest_of, is_key
from service.principals import FIRST, NOBODY, Principal, Scope
from service.problems import no_database, problem
from service.rates import Rates
from service.settings import Settings, tighten
from service.store.keys import Key

HEALTH = frozenset({"/livez", "/readyz"})
PUBLIC = HEALTH | {"/", "/docs", "/docs.css", "/openapi.json"}
ASSETS = "/assets/"
"""Of the page: what is there is public, and so is what is not."""
_log = logging.getLogger("resnas.service")
ON_LOOPBACK = PUBLIC | {"/metrics"}
_YES = frozenset({"true", "1", "yes", "on", "t", "y"})
_HOW = (
    "Send the header 'Authorization: Bearer …' with an API key, or with the token: the content of "
    "the file `token` in the server's data directory"
)


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


class Authentication:
    """Finds out whose request it is (`state.principal`), and refuses what that one may not do.

    An answer that goes on for long asks `state.still_valid` whether the key still opens anything.

    Args:
        app: what comes behind; it may rely on the principal.
        token: of the first start.
        settings: of the server.
    """

    def __init__(self, app: ASGIApp, token: str, settings: Settings) -> None:
        self.app = app
        self._token = digest_of(token)
        self._keyring = Keyring()
        self._public = ON_LOOPBACK if settings.on_loopback else PUBLIC
        self._owners = Rates(settings.requests_per_second)
        self._strangers = Rates(settings.unknown_requests_per_second)

    async def __call__(self, scope: Request, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401, 403 or 429; there are no web sockets."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        found: Principal | Response = NOBODY
        if scope["path"] not in HEALTH:
            found = await self._public_or_known(scope)
        if isinstance(found, Principal):
            state = scope.setdefault("state", {})
            state["principal"] = found
            state["still_valid"] = partial(self._still_valid, scope)
            await self.app(scope, receive, send)
        else:
            await found(scope, receive, send)

    async def _public_or_known(self, scope: Request) -> Principal | Response:
        if scope["path"] in self._public or scope["path"].startswith(ASSETS):
            return _too_fast(scope, self._strangers, _address(scope)) or NOBODY
        found = await self._known(scope)
        if isinstance(found, Response):
            return found
        if not found.is_admin and (refusal := _too_fast(scope, self._owners, found.owner)):
            return refusal
        wanted = _wanted(scope)
        return found if found.may(wanted) else _forbidden(scope, wanted)

    async def _known(self, scope: Request) -> Principal | Response:
        """Whose key was sent. Who guesses at keys is slowed down before they are looked up."""
        text = _sent(scope)
        digest = digest_of(text)
        if secrets.compare_digest(digest, self._token):
            return FIRST
        if not self._keyring.has_met(digest):
            if refusal := _too_fast(scope, self._strangers, _address(scope)):
                return refusal
            if not is_key(text):
                return _unknown(scope, "The request has no valid token", _HOW)
        keys = scope["app"].state.services.repository.keys
        try:
            key = await self._keyring.find(keys, digest)
        except SQLAlchemyError as error:
            _log.error("%s: no key can be looked up", scope["path"], exc_info=error)
            return no_database(scope["path"])
        return _principal(scope, key)

    async def _still_valid(self, scope: Request) -> bool:
        """Whether what was sent opens anything now; a database that is away closes nothing."""
        digest = digest_of(_sent(scope))
        if secrets.compare_digest(digest, self._token):
            return True
        try:
            key = await self._keyring.find(scope["app"].state.services.repository.keys, digest)
        except SQLAlchemyError:
            return True
        return key is not None and key.usable


def _sent(scope: Request) -> str:
    scheme, _, text = Headers(scope=scope).get("authorization", "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" else ""


def _wanted(scope: Request) -> Scope:
    """What the request needs: to ask what something would come to is to look."""
    if scope["path"].startswith("/v1/keys"):
        return Scope.ADMIN
    if scope["method"] in ("GET", "HEAD") or scope["path"] == "/v1/estimates":
        return Scope.READ
    if scope["path"] == "/v1/jobs":
        asked = QueryParams(scope["query_string"]).getlist("validate_only")
        if len(asked) == 1 and asked[0].lower() in _YES:
            return Scope.READ
    return Scope.WRITE


def _principal(scope: Request, key: Key | None) -> Principal | Response:
    """Only who has the key's text learns that there was such a key."""
    if key is None:
        return _unknown(scope, "The request has no valid token", _HOW)
    if key.revoked_at is not None:
        found = f"The key {key.prefix} was revoked at {key.revoked_at.isoformat()}"
    elif key.expired:
        found = f"The key {key.prefix} has expired"
    else:
        return Principal(key.owner, key.scopes)
    return _unknown(scope, found, "Ask the server's operator for a new token or key")


def _unknown(scope: Request, found: str, next_step: str) -> Response:
    return problem(
        401,
        found,
        instance=scope["path"],
        next_step=next_step,
        headers={"WWW-Authenticate": "Bearer"},
    )


def _forbidden(scope: Request, wanted: Scope) -> Response:
    return problem(
        403,
        f"The key is not good for this: it lacks the scope '{wanted}'",
        instance=scope["path"],
        kind="missing-scope",
        next_step=f"Ask the server's operator for a key with the scope '{wanted}'",
        headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{wanted}"'},
    )


def _too_fast(scope: Request, rates: Rates, name: str) -> Response | None:
    seconds = math.ceil(rates.wait(name))
    if not seconds:
        return None
    policy = f'"default";q={math.floor(rates.burst)};w={math.ceil(rates.burst / rates.per_second)}'
    return problem(
        429,
        f"More than {rates.per_second:g} requests a second",
        instance=scope["path"],
        next_step=f"Ask again in {seconds} s, and more slowly",
        headers={
            "Retry-After": str(seconds),
            "RateLimit-Policy": policy,
            "RateLimit": f'"default";r=0;t={seconds}',
        },
    )


def _address(scope: Request) -> str:
    """Whose bucket it is: an address, of IPv6 the network that one customer has."""
    try:
        address = ip_address(scope["client"][0] if scope.get("client") else "")
    except ValueError:  # a socket of this machine, or a name that anybody could choose
        return ""
    if not isinstance(address, IPv6Address):
        return str(address)
    return str(address.ipv4_mapped or int(address) >> 64)
