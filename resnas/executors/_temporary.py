"""Temporary folders, of which none stays for long: a process that was killed removes nothing."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from uuid import getnode

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_HERE = _BOOT.read_text().strip() if _BOOT.exists() else f"{getnode():x}"
IN_USE = f".resnas-in-use-{_HERE}"
"""A file in a folder that is locked as long as the process lives which made it.

Its name tells the machine: others that share the folder around may not see the lock.
"""


@contextmanager
def temporary(prefix: str, parent: str | None = None) -> Iterator[str]:
    """A folder until the end; before, those go that killed processes left under this prefix.

    Where the file system has no locks, nobody removes what another process left.

    Args:
        prefix: how its name begins.
        parent: where it lies; None: where temporary files go.
    """
    parent = parent or gettempdir()
    _remove_abandoned(Path(parent), prefix)
    folder = TemporaryDirectory(prefix=prefix, dir=parent)
    lock = _locked(Path(folder.name))
    try:
        with folder as name:
            yield name
    finally:
        os.close(lock)


def _locked(folder: Path) -> int:
    """The descriptor of a lock on the folder; the system unlocks it when the process is gone."""
    new = folder / f"{IN_USE}-new"
    lock = os.open(new, os.O_CREAT | os.O_WRONLY, 0o600)
    with suppress(OSError):
        fcntl.flock(lock, fcntl.LOCK_EX)
        new.rename(folder / IN_USE)  # only now, or it would be seen unlocked
    return lock


def _remove_abandoned(parent: Path, prefix: str) -> None:
    """Remove this user's folders whose locks nobody holds; those of other programs have none."""
    for mark in parent.glob(f"{prefix}*/{IN_USE}"):
        with suppress(OSError):  # in use, or somebody else removes it
            if mark.parent.lstat().st_uid == os.geteuid():
                _remove_unlocked(mark)


def _remove_unlocked(mark: Path) -> None:
    lock = os.open(mark, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(mark.parent, ignore_errors=True)
    finally:
        os.close(lock)
