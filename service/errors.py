"""What the service refuses, beside the errors of the library; `service.problems` renders both."""

from __future__ import annotations

from typing import Self

from resnas.errors import ResnasError
from resnas.results import Value


class ServiceError(ResnasError):
    """Base of the service's own errors."""


class StartRefused(ServiceError):
    """The server or a worker cannot start here: port, data directory, database."""


class InvalidSetting(StartRefused):
    """A setting that cannot be used, whatever is there: an argument or environment variable."""


class NotFound(ServiceError):
    """There is no such job, architecture or export."""

    @classmethod
    def of(cls, what: str, key: str, listing: str) -> Self:
        """The error for `key`, which no `what` has; `listing` is where they can be looked up."""
        return cls(what, f"there is none with the id '{key[:80]}'", f"Ids are listed by {listing}")


class Conflict(ServiceError):
    """The state of the thing does not allow what was asked."""


class InvalidCursor(ServiceError):
    """A cursor that this server did not hand out for this list."""


class LeaseLost(ServiceError):
    """The work was given to somebody else, or is over: whoever holds the old lease must stop."""


class Failure(Value):
    """Why a job or an export failed, in the words of an error."""

    place: str
    found: str
    next_step: str

    @classmethod
    def of(cls, error: ResnasError) -> Self:
        """The three statements of `error`."""
        return cls(place=error.place, found=error.found, next_step=error.next_step)
