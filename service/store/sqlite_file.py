"""A database that is a file: on which disks it may lie, and whether it is whole."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from service.errors import StartRefused
from service.store.backups import newest

ALWAYS_CHECKED = 200 * 2**20
"""Bytes up to which a database is checked at every start: about a second."""
_NETWORK = re.compile(
    r"nfs\d?|cifs|smb\d|smbfs|afs|(fuse\.)?(ceph|glusterfs)|lustre|beegfs|gpfs"
    r"|fuse\.(sshfs|s3fs|rclone|goofys|davfs)"
)


def refuse_network(file: Path, mounts: Path = Path("/proc/mounts")) -> None:
    """See that the file lies, or will lie, on a disk of this machine.

    SQLite's log of changes (WAL) is shared memory, which ends at the machine, and on many network
    file systems locks exclude nobody.

    Args:
        file: of the database.
        mounts: the system's list of what is mounted where; none: nothing is refused.

    Raises:
        StartRefused: it lies on a network file system.
    """
    kind = file_system(file.parent, mounts)
    if kind and _NETWORK.fullmatch(kind):
        raise StartRefused(
            f"database {file}",
            f"its folder is on a network file system ({kind}), where SQLite loses data",
            "Set RESNAS_DATA_DIR to a folder on a disk of this machine, or use PostgreSQL "
            "(RESNAS_DATABASE_URL)",
        )


def file_system(folder: Path, mounts: Path = Path("/proc/mounts")) -> str | None:
    """The kind of file system that `folder` is on; None where the system does not tell."""
    try:
        lines = mounts.read_text(errors="replace").splitlines()
    except OSError:
        return None
    resolved = folder.resolve()
    found = [
        (len(point.parts), kind)
        for _, written, kind, *_ in (line.split() for line in lines)
        if resolved.is_relative_to(point := Path(_unescaped(written)))
    ]
    # Of equal ones the last: it was mounted over the others.
    return max(reversed(found), key=lambda each: each[0])[1] if found else None


def refuse_damage(file: Path) -> None:
    """See that the database is whole; a large one only where its last user was cut off.

    Raises:
        StartRefused: it is damaged; the message names its newest backup.
    """
    if not file.exists():
        return
    log = file.with_name(f"{file.name}-wal")  # deleted by whoever closes the database last
    cut_off = log.exists() and log.stat().st_size > 0
    found = damage(file) if cut_off or file.stat().st_size < ALWAYS_CHECKED else None
    if found is not None:
        raise StartRefused(f"database {file}", f"it is damaged: {found}", way_back(file))


def damage(file: Path) -> str | None:
    """The first thing that is wrong with the database; None where it is whole."""
    try:
        with closing(sqlite3.connect(file, timeout=30)) as connection:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError:
        return None  # not to be opened, or busy: whoever opens it next says so
    except sqlite3.DatabaseError as error:
        return str(error)
    return None if found == "ok" else " ".join(str(found).split())


def way_back(file: Path) -> str:
    """What to do about a damaged database."""
    backup = newest(file)
    if backup is None:
        return (
            f"There is no backup. Move {file.name}, {file.name}-wal and {file.name}-shm away and "
            f"save what can be read with: sqlite3 MOVED .recover | sqlite3 {file}"
        )
    return (
        f"Move {file.name}, {file.name}-wal and {file.name}-shm away, then restore the newest "
        f"backup: cp {backup} {file}"
    )


def _unescaped(text: str) -> str:
    r"""A path of the list of mounts, in which a space is written \040."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)
