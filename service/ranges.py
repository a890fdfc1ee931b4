"""Parts of a file: which requests for them are carried out, which ignored, which refused.

One part is what going on with a broken download takes. A request that is none is ignored, as
RFC 9110 wants it; several parts are, too, which it allows; and many parts are an attack.
"""

from __future__ import annotations

import re

from fastapi import Request
from starlette.exceptions import HTTPException

_MANY = 10
_ONE = re.compile(r"bytes=(?P<first>\d{0,18})-(?P<last>\d{0,18})", re.IGNORECASE)


def settle(request: Request, size: int, tag: str) -> None:
    """Take the header Range from `request` unless it asks for one part that the file has.

    Args:
        request: for a file.
        size: of the file in bytes.
        tag: the file's entity tag; a part of another version is not sent.

    Raises:
        HTTPException: 416, the file has no such part, or there are too many of them.
    """
    asked = request.headers.get("range")
    if asked is None:
        return
    if asked.count(",") >= _MANY:
        raise _unsatisfiable(f"is not sent in more than {_MANY} parts", size)
    one = _ONE.fullmatch(asked.strip())
    current = request.headers.get("if-range", tag) == tag
    if one is None or not current or _backwards(one["first"], one["last"]):
        kept = [(name, value) for name, value in request.scope["headers"] if name != b"range"]
        request.scope["headers"] = kept
    elif (int(one["first"]) >= size) if one["first"] else (int(one["last"]) == 0 or size == 0):
        raise _unsatisfiable(f"no part {asked[:60]!r}", size)


def _backwards(first: str, last: str) -> bool:
    """Whether these are no numbers of a first and a last byte."""
    return not (first or last) or bool(first and last and int(last) < int(first))


def _unsatisfiable(found: str, size: int) -> HTTPException:
    headers = {"Content-Range": f"bytes */{size}"}
    return HTTPException(416, f"the file has {size} bytes and {found}", headers)
