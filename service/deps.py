"""What routes are given: the parts of the running service, and how a list is paged."""

from __future__ import annotations

import base64
import binascii
import json
import threading
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Query, Request

from service.errors import InvalidCursor
from service.metrics import Figures
from service.principals import Principal
from service.readiness import Readiness
from service.settings import Settings
from service.store.ids import is_id
from service.store.repository import Repository
from service.streaming import Feed

_MOST = 200

Last = TypeVar("Last", str, int)


@dataclass(frozen=True)
class Services:
    """The parts of the running service; `stopping` is set when it shall end."""

    settings: Settings
    repository: Repository
    feed: Feed
    figures: Figures
    readiness: Readiness
    stopping: threading.Event


# Those that are no coroutines would each wait for a thread.
async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


async def _repository(services: Annotated[Services, Depends(_services)]) -> Repository:
    return services.repository


async def _settings(services: Annotated[Services, Depends(_services)]) -> Settings:
    return services.settings


async def _principal(request: Request) -> Principal:
    principal: Principal = request.state.principal
    return principal


ServicesDep = Annotated[Services, Depends(_services)]
PrincipalDep = Annotated[Principal, Depends(_principal)]
RepositoryDep = Annotated[Repository, Depends(_repository)]
SettingsDep = Annotated[Settings, Depends(_settings)]
Limit = Annotated[int, Query(ge=1, description=f"more than {_MOST} is taken as {_MOST}")]
Cursor = Annotated[str | None, Query(max_length=500, description="`next_cursor` of a page")]


def page_size(limit: int) -> int:
    """How many entries a page has."""
    return min(limit, _MOST)


def encode_cursor(listing: str, last: str | int) -> str:
    """A cursor that goes on after `last` in the list that `listing` names."""
    return base64.urlsafe_b64encode(json.dumps([listing, last]).encode()).decode().rstrip("=")


def decode_cursor(listing: str, cursor: str, kind: type[Last]) -> Last:
    """What `cursor` goes on after: an id, or a number that a database can hold.

    Raises:
        InvalidCursor: it is not one of the list that `listing` names.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        of, last = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError) as error:
        raise _foreign(cursor) from error
    fits = is_id(last) if type(last) is str else type(last) is int and 0 <= last < 2**31
    if of != listing or type(last) is not kind or not fits:
        raise _foreign(cursor)
    return last


def _foreign(cursor: str) -> InvalidCursor:
    return InvalidCursor(
        "cursor",
        f"{cursor[:40]!r} was not given out for this list",
        "Pass the `next_cursor` of the page before, with the same filters, or none",
    )
