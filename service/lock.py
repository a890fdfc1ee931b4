"""One process at a time writes a data directory, or a database that is a file."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from service.errors import StartRefused
from service.settings import Settings

_TRIES, _MOMENT = 5, 0.02


@contextmanager
def sole_user(settings: Settings) -> Iterator[None]:
    """On SQLite this process alone uses the data directory and the database's file.

    Raises:
        StartRefused: another process uses them.
    """
    with ExitStack() as held:
        if settings.on_sqlite:
            directory, file = settings.data_dir, database_file(settings)
            held.enter_context(sole_owner(directory / "lock", f"data directory {directory}"))
            # Two data directories may share one file; and one file may have several names.
            held.enter_context(sole_owner(lock_of(file), f"database {file}"))
        yield


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
        if not _taken(handle):
            raise StartRefused(
                what,
                f"the process {_written(path)} uses it",
                "Stop that one, pass another --data-dir, or use PostgreSQL "
                "(RESNAS_DATABASE_URL) to work with several processes",
            )
        os.truncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def _taken(handle: int) -> bool:
    """Whether the lock is ours now; whoever only looks at it has it for less than a moment."""
    for _ in range(_TRIES):
        with suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(_MOMENT)
    return False


def holder(path: Path) -> str | None:
    """The id of the process that holds the lock in the file `path`; None: nobody does."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _written(path)
    else:
        return None
    finally:
        os.close(handle)


def note_address(settings: Settings, url: str) -> None:
    """Write down beside the lock, which this process holds, where it listens."""
    if settings.on_sqlite:
        with lock_of(database_file(settings)).open("a") as lock:
            lock.write(f"{url}\n")


def address(path: Path) -> str | None:
    """Where the holder of the lock in the file `path` listens, if it has written that down.

    A server that listens on all addresses answers to none of them as a name, but to loopback's.
    """
    _, _, url = path.read_text(errors="replace").strip().partition("\n")
    return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:") or None


def lock_of(file: Path) -> Path:
    """The lock of a database that is a file, whichever of its names `file` is."""
    resolved = file.resolve()
    return resolved.with_name(f"{resolved.name}.lock")


def database_file(settings: Settings) -> Path:
    """The file that the database on SQLite is.

    Raises:
        InvalidSetting: the setting names no file.
    """
    if not settings.database_url:
        return settings.own_database
    from service.store.session import open_engine  # here: clients need none of it

    engine = open_engine(settings.database)  # it refuses what names no file
    engine.dispose()
    return Path(engine.url.database or "")


def _written(path: Path) -> str:
    return path.read_text(errors="replace").partition("\n")[0].strip() or "another one"
