"""API keys, for administrators: on SQLite only the server itself writes its database."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path

from service import keys
from service.deps import RepositoryDep
from service.key_schemas import KeyAnswer, KeyMade, KeyRequest
from service.schemas import Page

router = APIRouter(prefix="/v1/keys", tags=["keys"])

_KeyId = Annotated[
    str, Path(description="of a key", json_schema_extra={"pattern": "^[0-9a-f]{32}$"})
]


@router.get("")
def list_keys(repository: RepositoryDep) -> Page[KeyAnswer]:
    """Every key, oldest first, those that open nothing any more included."""
    return Page(items=[KeyAnswer.of(key) for key in repository.keys.all()])


@router.post("")
def create_key(body: KeyRequest, repository: RepositoryDep) -> KeyMade:
    """Make a key; its text is in this answer and nowhere else."""
    minutes = body.expires_in_minutes
    lasts = None if minutes is None else timedelta(minutes=minutes)
    scopes = frozenset(body.scopes)
    return KeyMade.of(
        keys.create(repository, body.owner, scopes, lasts, unless_usable=body.unless_usable)
    )


@router.post("/{key_id:plain}:revoke")
def revoke_key(key_id: _KeyId, repository: RepositoryDep) -> KeyAnswer:
    """End a key at once, for every server; asking twice does no harm."""
    return KeyAnswer.of(keys.revoke(repository, key_id))
