"""Where a data set's files may lie: under the data root, and nowhere else."""

from __future__ import annotations

from pathlib import Path

from resnas.errors import DatasetUnavailable


def confined(root: Path, place: str, file_name: str) -> Path:
    """The path `root / file_name`, resolved; names come from users and must not leave the root.

    Args:
        root: the folder that holds all data sets.
        place: the data set as the user named it, for the message.
        file_name: one name, no path.

    Raises:
        DatasetUnavailable: the name is a path, or a link that leads out of the root.
    """
    if any(bad in file_name for bad in ("/", "\\", "\0")) or file_name in ("", ".", ".."):
        raise DatasetUnavailable(
            place, f"{file_name!r} is not a plain name", "Pass a name without any path"
        )
    path = (root / file_name).resolve()
    if not path.is_relative_to(root.resolve()):
        raise DatasetUnavailable(
            place,
            f"{root / file_name} is a link that leads out of the data folder",
            "Put the files themselves there",
        )
    return path
