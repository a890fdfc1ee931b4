"""What has to be so before other machines may reach the server."""

from __future__ import annotations

from service.errors import StartRefused
from service.settings import Settings
from service.store.repository import Repository

_FOR_THIS_MACHINE = "Leave --host out to serve this machine only"


def check_exposure(settings: Settings) -> None:
    """See that a server beyond loopback has a key to be opened with, and a name to be called by.

    Raises:
        StartRefused: it has not; the message says how to give it one.
    """
    if settings.on_loopback:
        return
    place = f"serve --host {settings.host}"
    if not settings.names:
        raise StartRefused(
            place,
            "other machines could reach it, and no name is allowed by which they may call it",
            f"Set RESNAS_ALLOWED_HOSTS, for example to search.example.org. {_FOR_THIS_MACHINE}",
        )
    repository = Repository.connect(settings.database, connections=1)
    try:
        if not repository.keys.any_usable():
            raise StartRefused(
                place,
                "other machines could reach it, and there is no API key that is valid",
                f"Make one with 'resnas keys create OWNER'. {_FOR_THIS_MACHINE}",
            )
    finally:
        repository.close()
