"""What happens to a job: as a stream while it happens, or page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from service import jobs
from service.deps import (
    Cursor,
    Limit,
    PrincipalDep,
    RepositoryDep,
    ServicesDep,
    decode_cursor,
    encode_cursor,
    page_size,
)
from service.routes._paths import JOB, JobId
from service.schemas import EventAnswer, Page
from service.store.events import Standing
from service.store.repository import Repository
from service.store.values import Job

_STREAM = "text/event-stream"
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_Number = Annotated[int, Query(ge=0, lt=2**31, description="only events after this number")]

_EVENT = {  # one of the stream's: in OpenAPI 3.1 that is what a schema of such a stream describes
    "type": "object",
    "required": ["event", "id", "data"],
    "properties": {
        "event": {"enum": ["state", "epoch", "trial"]},
        "id": {"type": "string", "pattern": "^[0-9]+$"},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}

router = APIRouter(tags=["jobs"])


@router.get(
    JOB + "/events",
    response_model=Page[EventAnswer],
    responses={
        200: {
            "description": "The events: a stream that goes on until the job has ended, each with "
            "its number as `id`; or a page of them, where JSON alone is accepted",
            "content": {_STREAM: {"schema": _EVENT}},
        },
        204: {"description": "The job has ended, and there is nothing new: do not come back"},
    },
)
def list_events(
    job_id: JobId,
    request: Request,
    services: ServicesDep,
    repository: RepositoryDep,
    principal: PrincipalDep,
    accept: Annotated[str, Header(include_in_schema=False)] = _STREAM,
    last_event_id: Annotated[
        int | None, Header(ge=0, lt=2**31, description="the stream goes on behind it; wins")
    ] = None,
    after: _Number = 0,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """What happened to a job since it was accepted: states, epochs and ends of trials.

    Ask with `Accept: text/event-stream` (the default) to be told as it happens, with
    `Accept: application/json` for a page. `limit` and `cursor` are for pages.
    """
    job = jobs.get(repository, job_id, principal.sees)
    after = after if last_event_id is None else last_event_id
    if "application/json" in accept and _STREAM not in accept:
        return JSONResponse(_page(repository, job, after, limit, cursor).model_dump(mode="json"))
    standing = Standing.of(job.state, job.events)
    # Numbers that this database has not come to are from another one: nothing would ever follow.
    after = min(after, standing.events)
    if standing.ended and after == standing.events:
        return Response(status_code=204, headers=_HEADERS)
    events = services.feed.listen(job.id, standing, after, request.state.still_valid)
    most = 0 if principal.is_admin else services.settings.streams_per_owner
    return _Stream(events, services.feed.seat(principal.owner, most))


class _Stream(StreamingResponse):
    """A stream that has a seat for as long as it is sent."""

    def __init__(self, events: AsyncIterator[bytes], seat: AbstractContextManager[None]) -> None:
        super().__init__(events, media_type=_STREAM, headers=_HEADERS)
        self._seat = seat

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; where there is no seat, nothing is sent yet, so that it can still be refused."""
        with self._seat:
            await super().__call__(scope, receive, send)


def _page(
    repository: Repository, job: Job, after: int, limit: int, cursor: str | None
) -> Page[EventAnswer]:
    listing = f"events:{job.id}"
    after = decode_cursor(listing, cursor, int) if cursor else after
    size = page_size(limit)
    found = repository.events.page(job.id, after, size + 1)
    shown = found[:size]
    return Page(
        items=[EventAnswer.of(event) for event in shown],
        next_cursor=encode_cursor(listing, shown[-1].number) if len(found) > size else None,
    )
