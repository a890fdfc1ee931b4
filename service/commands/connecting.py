"""How a command reaches the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.client import Client


def connect(patience: float = 60.0) -> Client:
    """A client of the server that the settings name; help and completion of names need none.

    Args:
        patience: seconds to wait for each answer.
    """
    from service.client import Client

    return Client(patience=patience)
