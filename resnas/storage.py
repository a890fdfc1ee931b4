"""Files that are whole or not there: atomic writes and a store of files named by their content."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from resnas.errors import ResnasError


def write_atomic(path: Path, content: bytes) -> None:
    """Write `content` so that a reader, or a crash, sees the old file or the new one, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(part).replace(path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)  # the rename itself must survive a power loss
    finally:
        os.close(directory)


class ArtifactStore:
    """A folder of files named by the SHA-256 of their content: `root/ab/abcdef…`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, content: bytes) -> str:
        """Keep `content`; returns its SHA-256 as 64 hexadecimal digits."""
        digest = hashlib.sha256(content).hexdigest()
        path = self._path(digest)
        if not path.exists():
            write_atomic(path, content)
        return digest

    def path(self, digest: str) -> Path:
        """Where the file of that digest lies.

        Raises:
            ResnasError: it is not there.
        """
        path = self._path(digest)
        if not path.is_file():
            raise ResnasError(
                f"artifact {digest}",
                f"there is no such file under {self.root}",
                "It was deleted or belongs to another data directory",
            )
        return path

    def read(self, digest: str) -> bytes:
        """The content, checked against its digest.

        Raises:
            ResnasError: it is not there, or its content has changed.
        """
        content = self.path(digest).read_bytes()
        found = hashlib.sha256(content).hexdigest()
        if found != digest:
            raise ResnasError(
                f"artifact {digest}",
                f"its content now has the digest {found}",
                "The disk or somebody changed it; train the architecture again",
            )
        return content

    def _path(self, digest: str) -> Path:
        if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise ResnasError(
                "artifact",
                f"{digest[:80]!r} is no SHA-256",
                "Pass 64 lower-case hexadecimal digits",
            )
        return self.root / digest[:2] / digest
