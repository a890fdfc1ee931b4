"""Exit codes of the `resnas` command: a script can tell from them what went wrong."""

from __future__ import annotations

from enum import IntEnum

from resnas.errors import (
    DatasetUnavailable,
    GraphError,
    InvalidLayer,
    InvalidResizer,
    InvalidSpec,
    ResnasError,
    UnknownName,
)
from service.client_errors import NotAllowed, Refused, ServerUnreachable
from service.errors import InvalidKey, InvalidSetting, NotFound


class Exit(IntEnum):
    """What the command's end means."""

    OK = 0
    FAILED = 1  # the job, the search or the server
    USAGE = 2  # the command, or what it asked for
    NOT_FOUND = 3
    NOT_ALLOWED = 4
    UNREACHABLE = 5
    INTERRUPTED = 130


_CODES: tuple[tuple[type[ResnasError], Exit], ...] = (
    (ServerUnreachable, Exit.UNREACHABLE),
    (NotAllowed, Exit.NOT_ALLOWED),
    (NotFound, Exit.NOT_FOUND),
    (Refused, Exit.USAGE),
    (InvalidSetting, Exit.USAGE),
    (InvalidKey, Exit.USAGE),
    (UnknownName, Exit.USAGE),
    (InvalidSpec, Exit.USAGE),
    (InvalidResizer, Exit.USAGE),
    (InvalidLayer, Exit.USAGE),
    (DatasetUnavailable, Exit.USAGE),
    (GraphError, Exit.USAGE),
)


def code_of(error: ResnasError) -> Exit:
    """The exit code for an error that ended the command."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), Exit.FAILED)
