"""Requests that are carried out once, however often they are sent; and reading their answers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from service.client_errors import ServerFailed, ServerUnreachable, problem_of, unreachable

Found = TypeVar("Found", bound=BaseModel)

_PAUSES = (0.3, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds before it is sent again; together about as long as a server needs to come back."""
_LONGEST = 15.0


def send_once(
    http: httpx.Client,
    path: str,
    *,
    key: str,
    query: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
) -> httpx.Response:
    """POST under an Idempotency-Key, again where the answer was lost or the server is busy.

    Raises:
        ServerUnreachable: no answer came; whether it was carried out is not known.
        ResnasError: the server refuses.
    """
    sent = False
    for pause in (*_PAUSES, None):
        try:
            response = http.post(path, params=query, json=body, headers={"Idempotency-Key": key})
        except httpx.TransportError as error:
            refused = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            if refused and not sent:
                raise unreachable(str(http.base_url), error) from error
            if pause is None:
                raise _unknown(str(http.base_url), key) from error
            sent = True
        else:
            if response.is_success:
                return response
            wait = response.headers.get("Retry-After", "")
            if pause is None or not wait.isdecimal() or int(wait) > _LONGEST:
                raise problem_of(response)
            pause = max(pause, float(wait))
        time.sleep(pause)
    raise AssertionError("the last try returns or raises")


def _unknown(url: str, key: str) -> ServerUnreachable:
    return ServerUnreachable(
        url,
        "the request was sent, but its answer did not come",
        f"Send it again with --idempotency-key {key}: then it is not carried out twice",
    )


def parse(kind: type[Found], found: Any, path: str) -> Found:
    """What the server answered, as a value of `kind`.

    Raises:
        ServerFailed: it is none.
    """
    try:
        if isinstance(found, bytes):
            return kind.model_validate_json(found)
        return kind.model_validate(found)
    except ValidationError as error:
        raise ServerFailed(
            path,
            f"the answer is no {kind.__name__}: {error.errors()[0]['msg']}",
            "Is it a resnas server, of about this version, that answers there?",
        ) from error
