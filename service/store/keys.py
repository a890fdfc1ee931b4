"""Queries about API keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select, update

from service.principals import Scope
from service.store.clock import moment, now_ms
from service.store.ids import is_id, new_id
from service.store.models import KeyRow
from service.store.session import Database

_USED_EVERY_MS = 60_000


@dataclass(frozen=True)
class Key:
    """A key as the database has it; its text is known to whoever was given it alone.

    Attributes:
        prefix: how its text begins, for a person to tell keys apart.
        expired: whether its time was over when this was read, on the database's clock.
        idle: whether its last use was written down so long ago that it is worth doing again.
    """

    id: str
    owner: str
    scopes: frozenset[Scope]
    prefix: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None
    expired: bool
    idle: bool

    @property
    def usable(self) -> bool:
        """Whether it opens anything."""
        return not self.expired and self.revoked_at is None


@dataclass(frozen=True)
class Keys:
    """Keys as the database has them; every method is one transaction."""

    database: Database

    def add(
        self,
        owner: str,
        scopes: frozenset[Scope],
        *,
        prefix: str,
        digest: str,
        lasts: timedelta | None = None,
        unless_usable: bool = False,
    ) -> Key | None:
        """A new key.

        Args:
            owner: whose jobs it is for.
            scopes: what it is good for.
            prefix: how its text begins.
            digest: SHA-256 of its text, hexadecimal.
            lasts: how long from now, on the database's clock; None: until it is revoked.
            unless_usable: add none, and return None, where `owner` has one that opens as much.
        """
        until = None if lasts is None else now_ms() + round(lasts.total_seconds() * 1000)
        row = KeyRow(
            id=new_id(),
            owner=owner,
            scopes=" ".join(sorted(scopes)),
            prefix=prefix,
            digest=digest,
            expires_at=until,
        )
        with self.database.write() as session:
            if unless_usable:
                query = select(KeyRow.scopes).where(KeyRow.owner == owner, _is_usable())
                if any(scopes <= _scopes(found) for found in session.scalars(query)):
                    return None
            session.add(row)
            session.flush()
            session.refresh(row)
            return _key(row, False, True)

    def find(self, digest: str) -> Key | None:
        """The key whose text has that digest, usable or not."""
        query = select(KeyRow, _is_expired(), _is_idle()).where(KeyRow.digest == digest)
        with self.database.read() as session:
            found = session.execute(query).one_or_none()
            return _key(*found) if found else None

    def used(self, key_id: str) -> None:
        """Write down that the key was used just now, if that was not done a minute ago."""
        with self.database.write() as session:
            chosen = (KeyRow.id == key_id, _is_idle())
            session.execute(update(KeyRow).where(*chosen).values(used_at=now_ms()))

    def all(self) -> list[Key]:
        """Every key, oldest first, revoked and expired ones included."""
        query = select(KeyRow, _is_expired(), _is_idle()).order_by(KeyRow.id)
        with self.database.read() as session:
            return [_key(*found) for found in session.execute(query)]

    def any_usable(self) -> bool:
        """Whether there is a key that opens anything."""
        with self.database.read() as session:
            return session.scalar(select(KeyRow.id).where(_is_usable()).limit(1)) is not None

    def revoke(self, key_id: str) -> Key | None:
        """From now on the key opens nothing; None if there is no such key."""
        if not is_id(key_id):
            return None
        with self.database.write() as session:
            still = (KeyRow.id == key_id, KeyRow.revoked_at.is_(None))
            session.execute(update(KeyRow).where(*still).values(revoked_at=now_ms()))
            query = select(KeyRow, _is_expired(), _is_idle()).where(KeyRow.id == key_id)
            found = session.execute(query).one_or_none()
            return _key(*found) if found else None


def _is_expired() -> ColumnElement[bool]:
    return and_(KeyRow.expires_at.is_not(None), KeyRow.expires_at <= now_ms())


def _is_idle() -> ColumnElement[bool]:
    return func.coalesce(KeyRow.used_at, 0) < now_ms() - _USED_EVERY_MS


def _is_usable() -> ColumnElement[bool]:
    lasts = or_(KeyRow.expires_at.is_(None), KeyRow.expires_at > now_ms())
    return and_(KeyRow.revoked_at.is_(None), lasts)


def _scopes(text: str) -> frozenset[Scope]:
    """The scopes of a list with spaces between; what this version does not know opens nothing."""
    return frozenset(scope for scope in Scope if scope in text.split())


def _key(row: KeyRow, expired: bool, idle: bool) -> Key:
    return Key(
        id=row.id,
        owner=row.owner,
        scopes=_scopes(row.scopes),
        prefix=row.prefix,
        created_at=moment(row.created_at),
        expires_at=moment(row.expires_at),
        revoked_at=moment(row.revoked_at),
        used_at=moment(row.used_at),
        expired=expired,
        idle=idle,
    )
