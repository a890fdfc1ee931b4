"""Whether the server can work at this moment."""

from __future__ import annotations

import shutil

from sqlalchemy.exc import SQLAlchemyError

from service.deps import Services
from service.errors import Unready

ROOM = 64 * 2**20
"""Bytes that have to be free where the data lie."""


def check_ready(services: Services) -> None:
    """See that the server goes on, has room, and reaches a database with its schema.

    Raises:
        Unready: it does not; the message says what keeps it from working.
    """
    if found := _hindrance(services):
        raise Unready(*found)


def _hindrance(services: Services) -> tuple[str, str, str] | None:
    """What keeps the server from working: where, what, and what to do."""
    if services.stopping.is_set():
        return "the server", "it is stopping", "Ask another one, or this one when it is back"
    try:
        free = shutil.disk_usage(services.settings.data_dir).free
    except OSError as error:
        return "the data directory", f"{error.strerror}", "See that it is there"
    if free < ROOM:
        return "the data directory", f"{free >> 20} MB are free there", "Make room on its disk"
    try:
        schema = services.repository.schema()
    except SQLAlchemyError:
        return "the database", "it does not answer", "See that it runs"
    if schema.found != schema.newest:
        step = "Start a server of the version that fits"
        return "the database", f"its schema is {schema.found}, not {schema.newest}", step
    return None
