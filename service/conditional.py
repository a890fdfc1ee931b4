"""An answer that the client has already is not sent again: entity tags and If-None-Match."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, Header, Request, Response

_TAG = re.compile(r'(?:W/)?("[^"]*")')


class NotModified(Exception):
    """The client has the answer already."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__("not modified")
        self.headers = headers


class Revalidation:
    """Tells whether the client's copy of an answer is still good.

    Args:
        given: the header If-None-Match.
        response: gets the entity tag, where the answer is sent.
    """

    def __init__(self, given: str | None, response: Response) -> None:
        self._given = given or ""
        self._response = response

    def tag(self, *facts: object) -> None:
        """Name this version of the answer: `facts` differ where the answer does.

        The tag is a weak one: it promises the same facts, not the same bytes of another release.

        Raises:
            NotModified: the client has this version.
        """
        text = "\0".join(map(str, facts))
        self.exactly(f'W/"{hashlib.sha256(text.encode()).hexdigest()[:32]}"')

    def exactly(self, tag: str, kept: str = "private, no-cache") -> dict[str, str]:
        """Name this version of the answer by `tag`, with its quotes; returns the headers for it.

        Args:
            tag: an entity tag.
            kept: how whoever gets it may keep it: a value of Cache-Control.

        Raises:
            NotModified: the client has this version.
        """
        headers = {"ETag": tag, "Cache-Control": kept}
        if self._given.strip() == "*" or tag.removeprefix("W/") in _TAG.findall(self._given):
            raise NotModified(headers)
        self._response.headers.update(headers)
        return headers


def not_modified(request: Request, error: Exception) -> Response:
    """The answer to `NotModified`."""
    del request
    assert isinstance(error, NotModified)
    return Response(status_code=304, headers=error.headers)


def _revalidation(
    response: Response,
    if_none_match: Annotated[
        str | None, Header(max_length=8000, description="the ETag of the answer you have")
    ] = None,
) -> Revalidation:
    return Revalidation(if_none_match, response)


RevalidationDep = Annotated[Revalidation, Depends(_revalidation)]
