"""A request that may be sent again: whoever sends it twice under one key gets one answer.

A client that lost an answer cannot know whether anything was done. With the same Idempotency-Key
it sends the request again, and gets what the first one was answered.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol, TypeVar

from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from service.deps import PrincipalDep, RepositoryDep
from service.errors import InFlight, KeyReused
from service.store.requests import Asked, Requests
from service.store.values import Json

REPLAYED = "Idempotent-Replayed"
_Done = TypeVar("_Done")


@dataclass(frozen=True)
class Reply:
    """What is answered to a request that did something."""

    status: int
    body: BaseModel
    headers: dict[str, str] = field(default_factory=dict)


class Keep(Protocol):
    """Makes of `reply_of` what stores the reply, in the transaction of what it tells of."""

    def __call__(self, reply_of: Callable[[_Done], Reply]) -> Callable[[Session, _Done], None]:
        """What is to be called in that transaction, with what was done."""


@dataclass(frozen=True)
class Once:
    """One request, carried out once for each key, owner and path.

    Attributes:
        requests: where keys and answers are kept.
        owner: who asks.
        path: what is asked to do something.
        key: the client's name of this request; null: it is carried out whenever it comes.
    """

    requests: Requests
    owner: str
    path: str
    key: str | None

    def respond(self, asked: Any, carry_out: Callable[[Keep], Reply]) -> JSONResponse:
        """What the first such request was answered, or what `carry_out` now comes to.

        Args:
            asked: all that makes two requests the same, as JSON.
            carry_out: does it, in one transaction in which it hands its reply on; if it raises,
                nothing was done and the key is free again; if it hands on none, nothing was to be
                done, which is answered again for some minutes.

        Raises:
            InFlight: the same request is being carried out.
            KeyReused: the key stands for another request.
        """
        if self.key is None:
            return _answer(carry_out(forgotten))
        # As a digest the key fits its column with the path, and no client's text is stored.
        key, digest = _digest([self.path, self.key]), _digest(asked)
        found = self.requests.begin(self.owner, key, digest)
        if not found.ours:
            return _replay(found, digest)

        kept = False
        this = (self.owner, key, found.until)

        def keep(reply_of: Callable[[_Done], Reply]) -> Callable[[Session, _Done], None]:
            def also(session: Session, done: _Done) -> None:
                nonlocal kept
                reply = reply_of(done)
                self.requests.keep(session, *this, status=reply.status, answer=_stored(reply))
                kept = True

            return also

        try:
            reply = carry_out(keep)
        except Exception:
            with contextlib.suppress(SQLAlchemyError):  # its time runs out anyway
                self.requests.forget(*this)
            raise
        if not kept:
            with contextlib.suppress(SQLAlchemyError):
                self.requests.keep_briefly(*this, status=reply.status, answer=_stored(reply))
        return _answer(reply)


def forgotten(reply_of: Callable[[_Done], Reply]) -> Callable[[Session, _Done], None]:
    """A `Keep` that keeps nothing, of a request without a key."""
    del reply_of
    return lambda _session, _done: None


def _stored(reply: Reply) -> Json:
    return {"body": reply.body.model_dump(mode="json"), "headers": reply.headers}


def _once(
    request: Request,
    repository: RepositoryDep,
    principal: PrincipalDep,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=255,
            description="Your name of this request, a fresh UUID for example. Sent again under "
            "the same name within a day (ten minutes where nothing was to be done), it is not "
            "carried out again but answered as before.",
        ),
    ] = None,
) -> Once:
    return Once(repository.requests, principal.owner, request.url.path, idempotency_key)


OnceDep = Annotated[Once, Depends(_once)]


def _replay(found: Asked, digest: str) -> JSONResponse:
    if found.digest != digest:
        raise KeyReused(
            "Idempotency-Key",
            "another request was sent under it",
            "Use a new key for each request, and the same one only to send it again",
        )
    if found.status is None or found.answer is None:
        raise InFlight(
            "Idempotency-Key",
            "the same request is being carried out",
            "Send it again in a moment, to get its answer",
        )
    headers = {**found.answer["headers"], REPLAYED: "true"}
    return JSONResponse(found.answer["body"], found.status, headers)


def _answer(reply: Reply) -> JSONResponse:
    return JSONResponse(reply.body.model_dump(mode="json"), reply.status, reply.headers)


def _digest(asked: Any) -> str:
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
