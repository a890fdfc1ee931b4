"""By which names the server may be called, and from whose pages.

A page of any site may send requests to this machine. A browser tells whose page it is in `Origin`;
where the site's own name was rebound to this machine's address, it still calls by that name in
`Host`. Neither needs a key to be found out, so both are looked at first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from service.problems import problem
from service.settings import LOOPBACK

_SAFE = frozenset({"GET", "HEAD"})
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^\[\]:/?#@\\\s]+)(:(?P<port>\d*))?")
_PORTS = {"http": "80", "https": "443"}


class AllowedHosts:
    """Refuses other host names than its own, and what pages of other sites send.

    Args:
        app: what comes behind.
        names: beside loopback's; one like *.example.org stands for all names that end so.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str] = ()) -> None:
        self.app = app
        listed = {name.lower() for name in names} | LOOPBACK
        self._names = frozenset(name for name in listed if not name.startswith("*."))
        self._endings = tuple(name[1:] for name in listed if name.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 421 or 403."""
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        await (refusal or self.app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._serves(split_host(hosts[0])[0]):
            return problem(
                421,
                "This server answers to its own names only",
                instance=scope["path"],
                next_step="Use http://127.0.0.1 on its machine, or a name of RESNAS_ALLOWED_HOSTS",
            )
        origins = headers.getlist("origin")
        if scope["method"] in _SAFE or all(_is_same(origin, hosts[0]) for origin in origins):
            return None
        return problem(
            403,
            "A page of another site sent this request",
            instance=scope["path"],
            kind="foreign-origin",
            next_step="Send it from a program, or from a page of this server",
        )

    def _serves(self, name: str) -> bool:
        return name in self._names or (bool(name) and name.endswith(self._endings))


def split_host(host: str) -> tuple[str, str]:
    """Name and port of a Host header, without brackets and in small letters; empty: it has none."""
    match = _HOST.fullmatch(host)
    return (match["name"].strip("[]").lower(), match["port"] or "") if match else ("", "")


def _is_same(origin: str, host: str) -> bool:
    """Whether a page of `origin` was loaded from `host`; behind a proxy its scheme may differ."""
    scheme, _, place = origin.partition("://")
    usual = _PORTS.get(scheme.lower())
    name, port = split_host(place)
    own, own_port = split_host(host)
    return usual is not None and name == own and (port or usual) == (own_port or usual)
