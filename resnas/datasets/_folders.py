"""Pictures that lie in one folder a class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from resnas.datasets._files import entries
from resnas.datasets._listed import Listing
from resnas.datasets._pictures import SUFFIXES
from resnas.errors import DatasetUnavailable


def classes_of(folder: Path, root: Path | None = None) -> list[str]:
    """Names of the folders in `folder`, sorted; `root` as in `entries`.

    Raises:
        DatasetUnavailable: there are fewer than two, or a link leads out of `root`.
    """
    classes = [entry.name for entry in entries(folder, root) if entry.is_dir()]
    if len(classes) < 2:
        raise DatasetUnavailable(
            str(folder), f"it has {len(classes)} classes", "It must hold two or more"
        )
    return classes


def by_class(
    folder: Path, classes: Sequence[str], *, every: bool, root: Path | None = None
) -> Listing:
    """(file, place of its class in `classes`) of all `folder/<class>/<picture>`, sorted.

    Args:
        folder: of one split.
        classes: that it may have.
        every: whether each class must have a picture there.
        root: that no link may lead out of, as in `entries`.

    Raises:
        DatasetUnavailable: there is no picture, or another class, or a link leads out of `root`.
    """
    strange = {entry.name for entry in entries(folder, root) if entry.is_dir()} - set(classes)
    if strange:
        raise DatasetUnavailable(
            str(folder), f"train has no class '{min(strange)}'", "Give all splits its classes"
        )
    found = []
    for label, name in enumerate(classes):
        paths = pictures_in(folder / name, root)
        if every and not paths:
            raise _empty(folder / name)
        found += [(path, label) for path in paths]
    if not found:
        raise _empty(folder)
    return found


def pictures_in(folder: Path, root: Path | None = None) -> list[Path]:
    """The files of a folder that are pictures by their suffix, sorted; none where it is missing.

    Raises:
        DatasetUnavailable: a link leads out of `root`.
    """
    found = entries(folder, root) if folder.is_dir() else []
    return [path for path in found if path.suffix.lower() in SUFFIXES]


def _empty(folder: Path) -> DatasetUnavailable:
    return DatasetUnavailable(
        str(folder),
        "it holds no picture",
        f"Fill or remove it; pictures end in {' '.join(sorted(SUFFIXES))}",
    )
