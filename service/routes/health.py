"""Whether the server lives, and whether it can work."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import RedirectResponse

from service.deps import RepositoryDep
from service.schemas import Health

router = APIRouter(tags=["health"])


@router.get("/livez")
def livez() -> Health:
    """The process answers."""
    return Health()


@router.get("/readyz")
def readyz(repository: RepositoryDep) -> Health:
    """The database answers, too."""
    repository.ping()
    return Health()


@router.get("/", include_in_schema=False)
def index() -> RedirectResponse:
    """The description of the API."""
    return RedirectResponse("/docs")
