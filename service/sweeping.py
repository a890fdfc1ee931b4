"""What nobody needs any more is deleted: files without rows, work of ended jobs, old requests.

Only files older than a grace period are touched: a trial's weights are in the store before its row
is in the database. And none of a store that another database has signed: what that one mentions is
not known here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from resnas.errors import ResnasError
from resnas.storage import PART, ArtifactStore
from service.settings import Settings
from service.store.care import Care
from service.store.ids import is_id
from service.store.repository import Repository
from service.store.values import State

GRACE = 3600.0
"""Seconds that a file without a row is kept."""
FAILED_KEPT = 7 * 24 * 3600.0
"""Seconds that the checkpoints of a failed job are kept, so that a retry goes on from them."""


_log = logging.getLogger("resnas.sweeping")
_SIGNATURE = "installation"
"""A file in the store with the id of the database that it belongs to."""

_Each = TypeVar("_Each", str, Path)


@dataclass(frozen=True)
class Swept:
    """How much was deleted of each kind."""

    artifacts: int
    parts: int
    work_folders: int
    requests: int


def sweep(settings: Settings, repository: Repository, grace: float = GRACE) -> Swept:
    """Delete what nobody needs any more; several servers may do it at once.

    Args:
        settings: where files are kept.
        repository: of the database that knows them.
        grace: seconds that a file without a row is kept.
    """
    care = Care(repository.database)
    return Swept(
        artifacts=_apply(settings.artifacts.delete, orphans(settings.artifacts, care, grace)),
        parts=_apply(Path.unlink, parts(settings, grace)),
        work_folders=_apply(
            lambda job_id: settings.work(job_id).clear(), leftovers(settings, care)
        ),
        requests=care.forget_requests(),
    )


def sign(artifacts: ArtifactStore, care: Care) -> bool:
    """Note in a store whose it is; whether it is this database's.

    Raises:
        OSError: the store does not do what it shall.
    """
    if not _is_signed(artifacts):
        artifacts.storage.write(_SIGNATURE, care.installation().encode())
    return _is_ours(artifacts, care)


def orphans(artifacts: ArtifactStore, care: Care, grace: float) -> Iterator[str]:
    """The artifacts that no row mentions, older than `grace` seconds, of this database's time."""
    began = care.began()
    if began is None or not _is_ours(artifacts, care):
        return
    stored = list(artifacts.digests())
    mentioned = care.mentioned() if stored else set()  # after the files: a row comes after its file
    for digest in stored:
        if digest not in mentioned and _due(artifacts, digest, began, grace):
            yield digest


def parts(settings: Settings, grace: float) -> list[Path]:
    """Files that a dead process had begun to write, older than `grace` seconds."""
    begun = [*settings.data_dir.glob(".token-*"), *settings.data_dir.glob(f"backups/{PART}*")]
    for storage in (settings.artifacts.storage, settings.work("")):
        if storage.folder:
            begun += storage.folder.glob(f"*/{PART}*")
    return [path for path in begun if _age(path) > grace]


def leftovers(settings: Settings, care: Care) -> list[str]:
    """The jobs that are over and have left work behind; one that failed may go on from it yet."""
    return [
        job_id
        for job_id, (state, milliseconds) in care.over(_worked_at(settings)).items()
        if state is not State.FAILED or milliseconds > FAILED_KEPT * 1000
    ]


def _worked_at(settings: Settings) -> set[str]:
    """The ids of all jobs that have left work behind."""
    work = settings.work("")
    found = {name.partition("/")[0] for name in work.names()}
    if work.folder and work.folder.is_dir():  # a disk keeps empty folders, too
        found.update(path.name for path in work.folder.iterdir())
    return {name for name in found if is_id(name)}


def _is_signed(artifacts: ArtifactStore) -> bool:
    try:
        return artifacts.storage.size(_SIGNATURE) > 0
    except FileNotFoundError:
        return False


def _is_ours(artifacts: ArtifactStore, care: Care) -> bool:
    """Whether no other database has signed the store."""
    if not _is_signed(artifacts):
        return True
    return artifacts.storage.read(_SIGNATURE).decode(errors="replace") == care.installation()


def _due(artifacts: ArtifactStore, digest: str, began: int, grace: float) -> bool:
    """Whether it is old enough to be deleted, but not older than the database's first job."""
    try:
        return began / 1000 <= artifacts.modified(digest) < time.time() - grace
    except ResnasError:  # somebody else has deleted it
        return False


def _age(path: Path) -> float:
    """In seconds; of what is gone: none."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _apply(delete: Callable[[_Each], None], found: Iterable[_Each]) -> int:
    """Delete each; returns how many. What has gone by itself is fine.

    Raises:
        ConnectionError: the store is away; no other would go either.
    """
    count = 0
    for each in found:
        try:
            with suppress(FileNotFoundError):
                delete(each)
                count += 1
        except ConnectionError:
            raise
        except OSError as error:
            _log.warning("the sweeper leaves %s: %s", each, error)
    return count
