"""What the API answers and is asked about keys."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import Field

from resnas.results import Value
from service.keys import LONGEST, Created
from service.principals import Scope
from service.schemas import Answer
from service.store.keys import Key

_MOST_MINUTES = LONGEST // timedelta(minutes=1)


class KeyAnswer(Answer):
    """A key; what it opens with is not known any more."""

    id: str
    owner: str
    prefix: str = Field(description="how its text begins")
    scopes: list[Scope]
    state: Literal["valid", "expired", "revoked"]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None = Field(description="to the minute")

    @classmethod
    def of(cls, key: Key) -> Self:
        """The answer for a stored key."""
        return cls(
            id=key.id,
            owner=key.owner,
            prefix=key.prefix,
            scopes=sorted(key.scopes),
            state="revoked" if key.revoked_at else "expired" if key.expired else "valid",
            created_at=key.created_at,
            expires_at=key.expires_at,
            revoked_at=key.revoked_at,
            used_at=key.used_at,
        )


class KeyMade(Answer):
    """A key that was just made; both are null where the owner has one that opens as much."""

    key: KeyAnswer | None = None
    text: str | None = Field(None, description="what is sent as `Authorization: Bearer …`")

    @classmethod
    def of(cls, made: Created | None) -> Self:
        """The answer for a key that was made, or was not."""
        return cls(key=KeyAnswer.of(made.key), text=made.text) if made else cls()


class KeyRequest(Value):
    """Which key to make."""

    owner: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1, max_length=3)] = (
        Scope.READ,
        Scope.WRITE,
    )
    expires_in_minutes: Annotated[int | None, Field(strict=True, ge=1, le=_MOST_MINUTES)] = None
    unless_usable: Annotated[
        bool, Field(strict=True, description="make none where the owner has one that opens as much")
    ] = False
