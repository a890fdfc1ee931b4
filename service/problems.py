"""Every error as problem+json (RFC 9457): what happened, where, and what to do next.

Beside the standard members a problem has `next_step`; one about the input has `errors`, each with a
JSON pointer into the body or the name of a parameter; one of the library has `place` and `found`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError, TimeoutError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from resnas.errors import (
    ArchitectureMismatch,
    DatasetUnavailable,
    GraphError,
    InfeasibleBudget,
    InvalidLayer,
    InvalidResizer,
    InvalidSpec,
    ResnasError,
    UnknownName,
    UnreachableBudget,
)
from service.conditional import NotModified, not_modified
from service.errors import (
    Conflict,
    InFlight,
    InvalidCursor,
    InvalidKey,
    KeyReused,
    NotFound,
    OverQuota,
    TooMany,
    Unready,
)
from service.logs import REQUEST_ID

MEDIA_TYPE = "application/problem+json"
_log = logging.getLogger("resnas.service")

_STATUS: dict[type[ResnasError], int] = {
    UnknownName: 422,
    InvalidSpec: 422,
    ArchitectureMismatch: 422,
    DatasetUnavailable: 422,
    GraphError: 422,
    InvalidResizer: 422,
    InvalidLayer: 422,
    InvalidKey: 422,
    InvalidCursor: 400,
    NotFound: 404,
    Conflict: 409,
    OverQuota: 403,
    TooMany: 429,
    KeyReused: 422,
    Unready: 503,
}
_NEXT_STEP = {
    400: "Correct the request; /docs shows what is expected",
    404: "See /docs for the paths there are",
    405: "See the header Allow for the methods there are",
    413: "Send less; a job is a few names and numbers",
    416: "Ask for one part that the file has, or for all of it",
    422: "Correct what `errors` names; /docs shows what is expected",
}
_OTHERWISE = "See /docs"


class InputError(BaseModel):
    """One thing that is wrong with what was sent."""

    detail: str
    pointer: str | None = Field(None, description="into the body, RFC 6901 as a URI fragment")
    parameter: str | None = Field(None, description="of the query, path or header")


class Problem(BaseModel):
    """RFC 9457 problem details; a problem may have more members than these."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="a URI that names the kind of problem and stays the same")
    title: str
    status: int
    detail: str
    instance: str = Field(description="the path that was asked for")
    next_step: str
    errors: list[InputError] | None = None
    request_id: str | None = Field(None, description="as the server's log names this request")


def problem(
    status: int,
    detail: str,
    *,
    instance: str,
    kind: str = "",
    next_step: str | None = None,
    members: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """An answer that says what went wrong.

    Args:
        status: HTTP status code.
        detail: this occurrence, in a sentence.
        instance: the path that was asked for.
        kind: last part of the problem's type; default: the name of the status.
        next_step: what the reader can do; default: by status.
        members: further members of the problem.
        headers: of the answer.
    """
    title = HTTPStatus(status).phrase
    content: dict[str, Any] = {
        "type": f"urn:resnas:problem:{kind or title.lower().replace(' ', '-')}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": instance,
        "next_step": next_step or _NEXT_STEP.get(status, _OTHERWISE),
    }
    if request_id := REQUEST_ID.get():
        content["request_id"] = request_id
    return JSONResponse(content | (members or {}), status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Answer every error of `app` with a problem; on no thread, which might all be taken."""
    app.add_exception_handler(ResnasError, _library)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(NotModified, not_modified)
    for failure in (OperationalError, InterfaceError, InternalError, TimeoutError):
        app.add_exception_handler(failure, _no_database)
    app.add_exception_handler(OSError, _no_storage)


async def _library(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ResnasError)
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 500)
    if status == 500:
        _log.error("%s %s: %s", request.method, request.url.path, error, exc_info=error)
    members: dict[str, Any] = {"place": error.place, "found": error.found}
    if isinstance(error, InfeasibleBudget):
        members["min_gmacs"] = error.min_gmacs
        members["max_gmacs"] = error.max_gmacs
        members["human_gmacs"] = error.human_gmacs
    if isinstance(error, UnreachableBudget):
        members["below_gmacs"] = error.below
        members["above_gmacs"] = error.above
    return problem(
        status,
        f"{error.place}: {error.found}",
        instance=request.url.path,
        kind=_kebab(type(error).__name__),
        next_step=error.next_step,
        members=members,
        headers=_retry_after(error),
    )


def _retry_after(error: ResnasError) -> dict[str, str] | None:
    if isinstance(error, TooMany | InFlight | Unready):
        return {"Retry-After": str(error.retry_after)}
    return None


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [_input_error(found["loc"], found["msg"]) for found in error.errors()]
    first = errors[0]
    place = first.get("pointer") or first.get("parameter")
    return problem(
        422,
        f"{place}: {first['detail']}",
        instance=request.url.path,
        kind="invalid-input",
        members={"errors": errors},
    )


def _input_error(loc: Sequence[int | str], message: str) -> dict[str, str]:
    where, *path = loc
    if where != "body":
        return {"detail": message, "parameter": ".".join(str(part) for part in path)}
    if message.startswith("JSON decode error"):
        path = []  # where the text broke off is no member of the body
    escaped = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return {"detail": message, "pointer": "#" + "".join(f"/{part}" for part in escaped)}


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers) if error.headers else None
    if error.status_code == 405:
        headers = {"Allow": ", ".join(_methods(request))}
    return problem(
        error.status_code,
        f"{request.method} {request.url.path}: {error.detail}",
        instance=request.url.path,
        headers=headers,
    )


def _methods(request: Request) -> list[str]:
    """All that the path can be asked with; each method is a route of its own."""
    methods = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
    router = request.app.router
    return [
        method
        for method in methods
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in router.routes
        )
    ]


async def _no_database(request: Request, error: Exception) -> JSONResponse:
    _log.error("%s %s: the database failed", request.method, request.url.path, exc_info=error)
    return no_database(request.url.path)


def no_database(instance: str) -> JSONResponse:
    """The answer while the database is away; whoever noticed it logs it."""
    return problem(
        503,
        "The database does not answer",
        instance=instance,
        next_step="Try again in a moment; the server's log has the cause",
        headers={"Retry-After": "5"},
    )


async def _no_storage(request: Request, error: Exception) -> JSONResponse:
    _log.error("%s %s: the storage failed", request.method, request.url.path, exc_info=error)
    return problem(
        503,
        "The storage, or a disk of the server, does not answer",
        instance=request.url.path,
        next_step="Try again in a moment; the server's log has the cause",
        headers={"Retry-After": "5"},
    )


def ending(instance: str) -> JSONResponse:
    """The answer to a request that takes longer than a server which ends waits for it."""
    return problem(
        503,
        "The server ends before this was answered; it may have been done all the same",
        instance=instance,
        next_step="Send it again in a moment, under the same Idempotency-Key; where it had none, "
        "look first whether it was done",
        headers={"Retry-After": "2"},
    )


def unexpected(instance: str) -> JSONResponse:
    """The answer where something broke that nobody thought of; whoever caught it logs it."""
    return problem(
        500,
        "The server has a fault that nobody thought of",
        instance=instance,
        next_step="The server's log has the cause; please report it",
    )


def _kebab(name: str) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name)[1:]
