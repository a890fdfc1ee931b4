"""Files that are whole or not there, on a disk or in an S3-compatible store, by name or content."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from resnas.causes import Cause, cause_of
from resnas.errors import ResnasError

PART = ".part-"
"""How the name of a file begins that is being written, or that a crash left half-written."""
_CHUNK = 1 << 20


def write_atomic(path: Path, content: bytes) -> None:
    """Write `content` so that a reader, or a crash, sees the old file or the new one, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=PART)
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


class Storage:
    """Files by name under a folder or under a prefix of a bucket; each is whole or not there.

    The endpoint and the credentials of a bucket are those that any program for S3 would use: the
    environment's `AWS_ENDPOINT_URL_S3`, `AWS_ACCESS_KEY_ID`, …, or the machine's role. Every
    process has its own; they never travel.

    All methods raise an OSError where the disk or the store does not do what is asked: a
    FileNotFoundError where there is no file of that name, a ConnectionError where a store is away.

    Args:
        location: a path, or an URL: `file:///folder` or `s3://bucket/prefix`.

    Attributes:
        url: the location, good in any process: a whole path or the URL.
        folder: where the files lie; None in a bucket.

    Raises:
        ResnasError: the URL is of another kind, or what reads it is not installed.
    """

    def __init__(self, location: Path | str) -> None:
        self.folder = _folder(location)
        self.url = str(self.folder or location).rstrip("/") or "/"
        self._root = self.url.removeprefix("s3://")
        self._files = _s3() if self.folder is None else _disk()

    def read(self, name: str) -> bytes:
        """The content of a file."""
        with self._reached():
            return bytes(self._files.cat_file(self._path(name)))

    def chunks(self, name: str) -> Iterator[bytes]:
        """The content of a file, piece by piece."""
        with self._reached(), self._files.open(self._path(name), "rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk

    def write(self, name: str, content: bytes) -> None:
        """Make or replace a file, which then survives a power loss."""
        if self.folder:
            write_atomic(self.folder / name, content)
            return
        with self._reached():  # a bucket shows an object when all of it has arrived
            self._files.pipe_file(self._path(name), content)

    def size(self, name: str) -> int:
        """Bytes of a file."""
        with self._reached():
            return int(self._files.size(self._path(name)))

    def modified(self, name: str) -> float:
        """When a file was written, in seconds since 1970."""
        with self._reached():
            return float(self._files.modified(self._path(name)).timestamp())

    def names(self) -> Iterator[str]:
        """The names of all files, their parts separated by `/`."""
        with self._reached():
            found = self._files.find(self._root)
        names = (path.removeprefix(f"{self._root}/") for path in found)
        yield from (name for name in names if not name.rpartition("/")[2].startswith(PART))

    def delete(self, name: str) -> None:
        """Remove a file; none of that name is fine."""
        with self._reached(), suppress(FileNotFoundError):
            self._files.rm_file(self._path(name))

    def clear(self) -> None:
        """Remove everything."""
        with self._reached(), suppress(FileNotFoundError):
            self._files.rm(self._root, recursive=True)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """A store that is away comes out as a ConnectionError that names it, however it is told."""
        try:
            yield
        except (FileNotFoundError, PermissionError):
            raise
        except Exception as error:  # of a bucket, an OSError is also a timeout, or an answer 503
            known = self.folder or cause_of(str(error)) is Cause.STORAGE_FULL
            if known and isinstance(error, OSError):
                raise
            raise ConnectionError(f"{self.url}: {type(error).__name__}: {error}") from error


class StoredFile:
    """One file that may not be there.

    Args:
        location: its path or URL, of which all but the last part is a `Storage`.
    """

    def __init__(self, location: Path | str) -> None:
        self.location = str(location if "://" in str(location) else Path(location).absolute())
        folder, _, self._name = self.location.rpartition("/")
        self._storage = Storage(folder or "/")

    def read(self) -> bytes | None:
        """Its content; None where it is not there."""
        try:
            return self._storage.read(self._name)
        except FileNotFoundError:
            return None

    def write(self, content: bytes) -> None:
        """Make or replace it."""
        self._storage.write(self._name, content)

    def delete(self) -> None:
        """Remove it, if it is there."""
        self._storage.delete(self._name)


class ArtifactStore:
    """Files named by the SHA-256 of their content: `root/ab/abcdef…`.

    What asks for a content raises a ResnasError where it is not there, or where what is passed is
    no digest; whatever else the storage raises is an OSError.

    Args:
        root: a path or an URL, as `Storage` takes it.

    Attributes:
        url: what another process makes the same store of.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = root
        self.storage = Storage(root)
        self.url = self.storage.url

    def put(self, content: bytes) -> str:
        """Keep `content`; returns its SHA-256 as 64 hexadecimal digits.

        What is there already is written again: that mends a damaged file, and makes it too young to
        be deleted as one that nobody wants.
        """
        digest = hashlib.sha256(content).hexdigest()
        self.storage.write(_name(digest), content)
        return digest

    def holds(self, digest: str) -> bool:
        """Whether the content of that digest is there."""
        try:
            self.storage.size(_name(digest))
        except FileNotFoundError:
            return False
        return True

    def read(self, digest: str) -> bytes:
        """The content, checked against its digest.

        Raises:
            ResnasError: it is not there, or its content has changed.
        """
        with self._found(digest):
            content = self.storage.read(_name(digest))
        found = hashlib.sha256(content).hexdigest()
        if found != digest:
            raise ResnasError(
                f"artifact {digest}",
                f"its content now has the digest {found}",
                "The disk or somebody changed it; train the architecture again",
            )
        return content

    def chunks(self, digest: str) -> Iterator[bytes]:
        """The content, piece by piece and unchecked: for whoever checks it at the other end."""
        with self._found(digest):
            yield from self.storage.chunks(_name(digest))

    def size(self, digest: str) -> int:
        """Bytes of the content."""
        with self._found(digest):
            return self.storage.size(_name(digest))

    def modified(self, digest: str) -> float:
        """When the content was put here, in seconds since 1970."""
        with self._found(digest):
            return self.storage.modified(_name(digest))

    def digests(self) -> Iterator[str]:
        """The digests of all that is kept; files of other names are none of it."""
        for name in self.storage.names():
            digest = name.rpartition("/")[2]
            if _is_digest(digest) and name == _name(digest):
                yield digest

    def delete(self, digest: str) -> None:
        """Forget the content of that digest, if it is there."""
        self.storage.delete(_name(digest))

    def path(self, digest: str) -> Path | None:
        """The file of that digest; None where it lies on no disk but in a bucket."""
        self.size(digest)
        return self.storage.folder and self.storage.folder / _name(digest)

    @contextmanager
    def _found(self, digest: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise ResnasError(
                f"artifact {digest}",
                f"there is no such file under {self.url}",
                "It was deleted or belongs to another data directory",
            ) from error


def _name(digest: str) -> str:
    if not _is_digest(digest):
        raise ResnasError(
            "artifact", f"{digest[:80]!r} is no SHA-256", "Pass 64 lower-case hexadecimal digits"
        )
    return f"{digest[:2]}/{digest}"


def _is_digest(text: str) -> bool:
    return len(text) == 64 and not set(text) - set("0123456789abcdef")


def _folder(location: Path | str) -> Path | None:
    """The folder that a location names; None where it is in a bucket."""
    if isinstance(location, Path) or "://" not in location:
        return Path(location).absolute()
    url = urlsplit(location)
    bucket = url.scheme == "s3"
    if url.scheme not in ("file", "s3") or bool(url.netloc) is not bucket or "@" in url.netloc:
        raise ResnasError(
            f"storage '{url.scheme}://…'",
            "it is neither file:///folder nor s3://bucket/prefix",
            "Name a place in one of these two forms; credentials go into the environment (AWS_…)",
        )
    return None if bucket else Path(url.path).absolute()


def _disk() -> Any:
    from fsspec.implementations.local import LocalFileSystem  # late: it takes a tenth of a second

    return LocalFileSystem()


def _s3() -> Any:
    """A client of S3 that sees at once what others have written: it remembers no listing."""
    try:
        import s3fs
    except ImportError as error:
        raise ResnasError(
            "storage 's3://…'",
            "the package s3fs, which reads it, is not installed",
            "Install resnas with its extra: pip install 'resnas[s3]'",
        ) from error
    return s3fs.S3FileSystem(use_listings_cache=False)
