"""What the service refuses, beside the errors of the library; `service.problems` renders both."""

from __future__ import annotations

from typing import Self

from resnas.causes import cause_of
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


class InvalidKey(ServiceError):
    """An API key that cannot be made as it was asked for."""


class OverQuota(ServiceError):
    """One owner asks for more than one may have."""


class TooMany(ServiceError):
    """One owner asks for more than one may have at the same time.

    Attributes:
        retry_after: seconds after which it may be asked for again.
    """

    def __init__(self, place: str, found: str, next_step: str, retry_after: int) -> None:
        super().__init__(place, found, next_step)
        self.retry_after = retry_after


class Unready(ServiceError):
    """The server cannot work at this moment."""

    retry_after = 5
    """Seconds until it is worth asking again."""


class Conflict(ServiceError):
    """The state of the thing does not allow what was asked."""


class InFlight(Conflict):
    """The same request is being carried out at this moment."""

    retry_after = 1
    """Seconds until it is worth asking again."""


class KeyReused(ServiceError):
    """An Idempotency-Key that stands for another request already."""


class InvalidCursor(ServiceError):
    """A cursor that this server did not hand out for this list."""


class LeaseLost(ServiceError):
    """The work was given to somebody else, or is over: whoever holds the old lease must stop."""


class Failure(Value):
    """Why a job or an export failed, in the words of an error.

    Attributes:
        place: where it happened.
        found: what was found there.
        next_step: what the reader can do.
        reason: for programs: `error` (what was asked for cannot be done), `crashed` (its process
            broke), `lost` (its worker was not heard of any more), `poison` (several of these in a
            row), `storage_full`, `out_of_memory`, `unreachable` (a storage or a cluster is away).
    """

    place: str
    found: str
    next_step: str
    reason: str = "error"

    @classmethod
    def of(cls, error: ResnasError) -> Self:
        """The three statements of `error`."""
        cause = cause_of(f"{type(error).__name__}: {error.found}")
        return cls(place=error.place, found=error.found, next_step=error.next_step, reason=cause)
