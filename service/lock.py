"""One process at a time writes a data directory whose database is a file."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.errors import StartRefused


@contextmanager
def sole_owner(data_dir: Path) -> Iterator[None]:
    """Hold the data directory; the lock ends with the process, however that ends.

    Raises:
        StartRefused: another process holds it.
    """
    path = data_dir / "lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = path.read_text().strip() or "another one"
            raise StartRefused(
                f"data directory {data_dir}",
                f"the process {holder} uses it",
                "Stop that one, pass another --data-dir, or use PostgreSQL "
                "(RESNAS_DATABASE_URL) to work with several processes",
            ) from error
        os.truncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)
