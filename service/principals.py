"""Who asks: an owner, and what the key that was sent is good for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from service.store.values import LOCAL


class Scope(StrEnum):
    """What a key is good for."""

    READ = "read"  # look at one's own jobs and fetch what they found
    WRITE = "write"  # hand in, cancel, retry, export
    ADMIN = "admin"  # all of it, for everybody's jobs


@dataclass(frozen=True)
class Principal:
    """Whoever sent a request."""

    owner: str
    scopes: frozenset[Scope]

    @property
    def sees(self) -> str | None:
        """Whose jobs are there for them; None: everybody's."""
        return None if self.is_admin else self.owner

    @property
    def is_admin(self) -> bool:
        """Whether all jobs are theirs, and no quota holds for them."""
        return Scope.ADMIN in self.scopes

    def may(self, scope: Scope) -> bool:
        """Whether their key is good for what wants `scope`."""
        return self.is_admin or scope in self.scopes


FIRST = Principal(LOCAL, frozenset(Scope))
"""Whoever has the token of the first start."""

NOBODY = Principal("", frozenset())
"""Whoever sent no key, to a path that wants none; no job is of that owner."""
