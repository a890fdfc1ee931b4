"""API keys: how they look, how they are made, and what is known of them afterwards.

A key is `rn_<8 hexadecimal digits>_<64 of them>`: the first part tells a secret scanner what it has
found and a person which key it is, the second is 256 random bits. Only the SHA-256 of the text is
kept. A slow hash protects passwords, which can be guessed; 256 random bits cannot, whatever a guess
costs, and a fast one lets every request be checked.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta

from service.errors import InvalidKey, NotFound
from service.principals import Scope
from service.store.keys import Key
from service.store.repository import Repository
from service.store.values import LOCAL

_FORM = re.compile(r"rn_[0-9a-f]{8}_[0-9a-f]{64}")
_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_SPAN = re.compile(r"([1-9][0-9]{0,4})([dhm])")
LONGEST = timedelta(days=3650)
"""Of a key that ends at all."""
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


@dataclass(frozen=True)
class Created:
    """A key that was just made, with its text, which cannot be had again."""

    key: Key
    text: str


def is_key(text: str) -> bool:
    """Whether `text` has the form of a key, so that looking it up makes sense."""
    return _FORM.fullmatch(text) is not None


def digest_of(text: str) -> str:
    """What is kept of a key: the SHA-256 of its text, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def create(
    repository: Repository,
    owner: str,
    scopes: frozenset[Scope],
    lasts: timedelta | None = None,
    *,
    unless_usable: bool = False,
) -> Created | None:
    """A new key of `owner`; None where that has one that opens as much, and `unless_usable`.

    Raises:
        InvalidKey: that is no name of an owner, or whoever has the token; there is no scope, or it
            would last too long.
    """
    if _OWNER.fullmatch(owner) is None:
        raise InvalidKey(
            "owner",
            f"{owner[:80]!r} is no name",
            "Use 1 to 64 of the letters a-z and A-Z, digits, '.', '_', '@' and '-'",
        )
    if owner == LOCAL:
        raise InvalidKey(
            "owner",
            f"{LOCAL!r} stands for whoever has the token, and what was handed in with it",
            "Choose another name",
        )
    if not scopes:
        raise InvalidKey("scopes", "there is none", f"Choose from {', '.join(Scope)}")
    if lasts is not None and lasts > LONGEST:
        raise InvalidKey(
            "expires-in",
            f"{lasts.days} days are more than {LONGEST.days}",
            "Give less, or nothing: such a key lasts until it is revoked",
        )
    begin = f"rn_{secrets.token_hex(4)}"
    text = f"{begin}_{secrets.token_hex(32)}"
    key = repository.keys.add(
        owner,
        scopes,
        prefix=begin,
        digest=digest_of(text),
        lasts=lasts,
        unless_usable=unless_usable,
    )
    return Created(key, text) if key else None


def revoke(repository: Repository, key_id: str) -> Key:
    """From now on the key opens nothing; asking twice does no harm.

    Raises:
        NotFound: there is none of that id.
    """
    key = repository.keys.revoke(key_id)
    if key is None:
        raise NotFound.of("key", key_id, "'resnas keys list'")
    return key


def span(text: str) -> timedelta:
    """The time that a text like 90d, 12h or 30m names.

    Raises:
        InvalidKey: it names none.
    """
    match = _SPAN.fullmatch(text)
    if match is None:
        raise InvalidKey(
            "expires-in", f"{text[:40]!r} is no time", "Give days, hours or minutes: 90d, 12h, 30m"
        )
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
