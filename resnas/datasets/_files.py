"""Where a data set's files may lie: under the data root, and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

from resnas.errors import DatasetUnavailable

_LONGEST = 255  # bytes


def confined(root: Path, place: str, file_name: str) -> Path:
    """The path `root / file_name`, resolved; names come from users and must not leave the root.

    Args:
        root: the folder that holds all data sets.
        place: the data set as the user named it, for the message.
        file_name: one name, no path.

    Raises:
        DatasetUnavailable: the name is a path, or a link that leads out of the root.
    """
    plain = not any(bad in file_name for bad in ("/", "\\", "\0"))
    if not plain or file_name in ("", ".", "..") or not _fits(file_name):
        raise DatasetUnavailable(
            place, f"{file_name!r} is not a plain name", "Pass a name without any path"
        )
    return inside(root, place, root / file_name)


def _fits(file_name: str) -> bool:
    """Whether a file system takes so long a name, and such characters."""
    try:
        return len(file_name.encode()) <= _LONGEST
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


def inside(root: Path, place: str, path: Path) -> Path:
    """`path`, resolved; a link may lead anywhere under the data root, and nowhere else.

    Raises:
        DatasetUnavailable: it leads out of the root.
    """
    try:
        found = path.resolve()
    except (OSError, RuntimeError) as error:  # too long a name; links in a circle
        raise DatasetUnavailable(
            place, f"{path} cannot be found ({error})", "Choose another name"
        ) from error
    if not found.is_relative_to(root.resolve()):
        raise DatasetUnavailable(
            place,
            f"{path} is a link that leads out of the data folder",
            "Put the files themselves there",
        )
    return found


def entries(folder: Path, root: Path | None) -> list[Path]:
    """What lies in a folder, sorted.

    Args:
        folder: that exists.
        root: that no link in the folder may lead out of; None: the folder is the operator's own.

    Raises:
        DatasetUnavailable: a link leads out of the root.
    """
    with os.scandir(folder) as found:
        listed = sorted((entry.name, entry.is_symlink()) for entry in found)
    if root is not None:
        for name in (name for name, is_link in listed if is_link):
            inside(root, str(folder), folder / name)
    return [folder / name for name, _ in listed]
