"""One process at a time writes a data directory, or a database that is a file."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.errors import StartRefused


@contextmanager
def sole_owner(path: Path, what: str) -> Iterator[None]:
    """Hold the lock in the file `path`, made where missing; it ends with the process.

    Args:
        path: of the lock.
        what: what it stands for, in a message.

    Raises:
        StartRefused: another process holds it, or the file cannot be made.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StartRefused(
            what, f"{path} cannot be written: {error.strerror}", "Use a folder of yours"
        ) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = path.read_text().strip() or "another one"
            raise StartRefused(
                what,
                f"the process {holder} uses it",
                "Stop that one, pass another --data-dir, or use PostgreSQL "
                "(RESNAS_DATABASE_URL) to work with several processes",
            ) from error
        os.truncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)
