"""What can go wrong between the client and the server, each with the exit code of the command line.

ResnasError
├── ServerUnreachable   nobody answers at that address
├── NotAllowed          no token, a wrong one, or a host name the server does not serve
├── NotFound            no such job, architecture or export (the service's own)
├── Refused             the request cannot be carried out as it stands
│   └── Busy            not now: too many requests came in a short time
└── ServerFailed        the server broke down, or answered something that is not its protocol
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from resnas.errors import ResnasError
from service.errors import NotFound

if TYPE_CHECKING:
    import httpx


_NAME_KEY = (
    "Set RESNAS_TOKEN_FILE to a file with your API key, or RESNAS_DATA_DIR to the data directory "
    "of this machine's server, where its token lies"
)


class ServerUnreachable(ResnasError):
    """Nobody answers at the server's address."""


class NotAllowed(ResnasError):
    """The server does not accept the token, or the name by which it was called."""


class Refused(ResnasError):
    """The request cannot be carried out as it stands."""


class Busy(Refused):
    """The server asks for a pause."""


class ServerFailed(ResnasError):
    """The server broke down, or what answered is not this service."""


def problem_of(response: httpx.Response) -> ResnasError:
    """The error that an answer of status 400 or more stands for.

    The body is a problem document (RFC 9457) where the service itself answered; anything in between
    (a proxy, another program at that port) may send whatever it likes.
    """
    status = response.status_code
    problem = _document(response)
    place = str(problem.get("place") or f"{response.request.method} {response.request.url.path}")
    found = _found(problem) or f"the answer was {status} {response.reason_phrase}"
    next_step = str(problem.get("next_step") or "").rstrip(".")
    if status == 401:
        # The client sends the header; what its user can do is say what is to stand there.
        told = next_step if "Authorization" not in next_step else ""
        return NotAllowed(place, found, told or _NAME_KEY)
    if status in (403, 421):
        return NotAllowed(place, found, next_step or "Use an address that the server serves")
    if status == 404:
        return NotFound(place, found, next_step or "List what there is with 'resnas jobs'")
    if status == 429:
        return Busy(place, found, next_step or "Try again in a minute")
    if status < 500 and problem:
        return Refused(place, found, next_step or "Change the request")
    return ServerFailed(place, found, next_step or "See the server's log")


def unreachable(url: str, error: httpx.TransportError) -> ServerUnreachable:
    """The error for a request that got no answer at all."""
    reason = str(error) or type(error).__name__
    return ServerUnreachable(
        url, f"no answer ({reason})", "Start a server with 'resnas serve', or set RESNAS_URL"
    )


def _document(response: httpx.Response) -> Mapping[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _found(problem: Mapping[str, Any]) -> str:
    """What a problem says: each wrong field by its pointer or name, else its one sentence."""
    wrong = [
        f"{error.get('pointer') or error.get('parameter') or ''} {error.get('detail', '')}".strip()
        for error in problem.get("errors") or ()
        if isinstance(error, dict)
    ]
    found = "; ".join(wrong) or problem.get("found") or problem.get("detail") or ""
    return str(found).rstrip(".")
