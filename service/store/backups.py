"""Copies of a database that is a file, taken while others use it, kept beside it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from service.errors import StartRefused

KEPT = 5


def back_up(file: Path, revision: str) -> Path:
    """Copy the database to `backups/<UTC time>-<revision>-<its name>`; the newest five are kept.

    The copy is whole or not there, and is what the database was at one moment.

    Raises:
        StartRefused: it could not be written.
    """
    folder = file.parent / "backups"
    target = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{revision}-{file.name}"
    part = folder / f".part-{target.name}"
    try:
        folder.mkdir(exist_ok=True, mode=0o700)
        _copy(file, part)
        part.replace(target)
        _sync(folder)
        for old in _of(file)[:-KEPT]:
            old.unlink()
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            part.unlink()
        raise StartRefused(
            f"database {file}",
            f"the backup before its migration could not be written to {folder}: {error}",
            "Make room there; nothing was changed",
        ) from error
    return target


def newest(file: Path) -> Path | None:
    """The latest backup of the database; None where there is none."""
    return next(reversed(_of(file)), None)


def _of(file: Path) -> list[Path]:
    """Oldest first; a backup's name begins with its time."""
    return sorted((file.parent / "backups").glob(f"[0-9]*-*-{file.name}"))


def _copy(file: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    target.touch(mode=0o600)
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
    _sync(target)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
