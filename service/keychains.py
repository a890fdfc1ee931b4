"""API keys for their commands: in the database, or through the server that alone may write it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from service import keys
from service.connection import Connection, segment
from service.key_schemas import KeyAnswer, KeyMade
from service.principals import Scope
from service.store.repository import Repository


class Keychain(Protocol):
    """All keys of a server."""

    def create(
        self,
        owner: str,
        scopes: frozenset[Scope],
        lasts: timedelta | None = None,
        *,
        unless_usable: bool = False,
    ) -> KeyMade:
        """A new key of `owner`; none where that has one that opens as much, and `unless_usable`."""

    def all(self) -> list[KeyAnswer]:
        """Every key, oldest first."""

    def revoke(self, key_id: str) -> KeyAnswer:
        """From now on the key opens nothing."""


@dataclass(frozen=True)
class StoredKeychain:
    """The keys as the database has them."""

    repository: Repository

    def create(
        self,
        owner: str,
        scopes: frozenset[Scope],
        lasts: timedelta | None = None,
        *,
        unless_usable: bool = False,
    ) -> KeyMade:
        """See `Keychain`."""
        return KeyMade.of(
            keys.create(self.repository, owner, scopes, lasts, unless_usable=unless_usable)
        )

    def all(self) -> list[KeyAnswer]:
        """See `Keychain`."""
        return [KeyAnswer.of(key) for key in self.repository.keys.all()]

    def revoke(self, key_id: str) -> KeyAnswer:
        """See `Keychain`."""
        return KeyAnswer.of(keys.revoke(self.repository, key_id))


class ServedKeychain(Connection):
    """The keys of a server that runs; it wants the token, or the key of an administrator."""

    def create(
        self,
        owner: str,
        scopes: frozenset[Scope],
        lasts: timedelta | None = None,
        *,
        unless_usable: bool = False,
    ) -> KeyMade:
        """See `Keychain`."""
        body = {
            "owner": owner,
            "scopes": sorted(scopes),
            "expires_in_minutes": None if lasts is None else round(lasts.total_seconds() / 60),
            "unless_usable": unless_usable,
        }
        return self._post(KeyMade, "/v1/keys", body)

    def all(self) -> list[KeyAnswer]:
        """See `Keychain`."""
        return list(self._pages(KeyAnswer, "/v1/keys"))

    def revoke(self, key_id: str) -> KeyAnswer:
        """See `Keychain`."""
        return self._post(KeyAnswer, f"/v1/keys/{segment(key_id)}:revoke")
