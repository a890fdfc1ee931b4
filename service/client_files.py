"""Exported files at the client's end: whole, and none in the place of another one unasked."""

from __future__ import annotations

import hashlib
from pathlib import Path

from resnas.storage import write_atomic
from service.answers import Export
from service.client_errors import Refused, ServerFailed


def place_for(export: Export, directory: Path, overwrite: bool) -> tuple[Path, bool]:
    """Where an export is to lie, and whether it lies there already.

    Args:
        export: that has succeeded.
        directory: that it is fetched into; it need not be there.
        overwrite: whether it may take the place of another file.

    Raises:
        Refused: another file is there.
    """
    path = directory / (export.filename or f"{export.id}.bin")
    try:
        is_there = hashlib.sha256(path.read_bytes()).hexdigest() == export.sha256
    except FileNotFoundError:
        return path, False
    except OSError as error:
        raise _unwritable(path.parent, error) from error
    if not is_there and not overwrite:
        raise Refused(
            f"{path}", "another file is there", "Choose another folder, or pass --overwrite"
        )
    return path, is_there


def keep(path: Path, content: bytes, export: Export) -> None:
    """Write what has arrived, in folders that are made where missing.

    Raises:
        ServerFailed: it arrived damaged; nothing is written.
        Refused: the folder cannot be written.
    """
    digest = hashlib.sha256(content).hexdigest()
    if digest != export.sha256:
        raise ServerFailed(
            f"export {export.id}",
            f"the file that arrived has the SHA-256 {digest}, not {export.sha256}",
            "Export it again",
        )
    try:
        write_atomic(path, content)
    except OSError as error:
        raise _unwritable(path.parent, error) from error


def _unwritable(directory: Path, error: OSError) -> Refused:
    found = f"it cannot be written: {error.strerror}"
    return Refused(f"{directory}", found, "Choose another folder")
