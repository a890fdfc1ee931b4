"""Checks of the files: whether those that rows name are there and unchanged, and none besides."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial

from resnas.errors import ResnasError
from resnas.storage import ArtifactStore
from service import sweeping
from service.doctor.findings import Finding, broken, ok, some, warning
from service.errors import Failure
from service.settings import Settings
from service.store.care import Care, Needed
from service.store.repository import Repository

_LOST = Failure(
    place="the artifact store",
    found="the file that was written is gone or has changed",
    next_step="Ask for the export again: it is written anew",
    reason="lost",
)


def artifacts(settings: Settings, care: Care) -> Iterator[Finding]:
    """Weights and exported files: there, and what their digests say."""
    store = settings.artifacts
    needed = list(care.needed())  # before the files: a row comes after its file
    changed = sorted(digest for digest in store.digests() if _has_changed(store, digest))
    there = set(store.digests()) - set(changed)
    weights = {each.digest for each in needed if each.what == "trial"}
    lost = [each for each in needed if each.digest not in there]
    if changed:
        # Weights stay: there is no other copy, and somebody may still want to look at them.
        yield broken(
            "artifact contents",
            f"{len(changed)} files are not what their names say: {some(changed)}",
            "The disk or somebody changed them. resnas doctor --repair deletes those that can be "
            "written again; restore the others from a backup",
            partial(_delete, store, set(changed) - weights),
        )
    else:
        yield ok("artifact contents", f"{len(there)} files are what their names say")
    yield from _exports([each for each in lost if each.what == "export"], store, care)
    yield from _weights([each.id for each in lost if each.what == "trial"])


def unneeded(settings: Settings, care: Care) -> Iterator[Finding]:
    """Files that nobody needs any more."""
    orphans = list(sweeping.orphans(settings.artifacts, care, sweeping.GRACE))
    parts = sweeping.parts(settings, sweeping.GRACE)
    work = sweeping.leftovers(settings, care)
    if not (orphans or parts or work):
        yield ok("unneeded files", "none")
        return
    yield warning(
        "unneeded files",
        f"{len(orphans)} artifacts without a row, {len(parts)} half-written files, work folders "
        f"of {len(work)} ended jobs",
        "The server deletes them within the hour; so does resnas doctor --repair",
        partial(_sweep, settings),
    )


def _exports(lost: list[Needed], store: ArtifactStore, care: Care) -> Iterator[Finding]:
    if lost:
        yield broken(
            "exports",
            f"the files of {len(lost)} are gone: {some([each.id for each in lost])}",
            "resnas doctor --repair marks them as failed; whoever asks again gets a new file",
            partial(_lose, store, care, lost),
        )
    else:
        yield ok("exports", "every written file is there")


def _weights(lost: list[str]) -> Iterator[Finding]:
    if lost:
        yield broken(
            "weights",
            f"those of {len(lost)} trials are gone: {some(lost)}",
            "Restore the artifacts from a backup; without them these architectures cannot be "
            "exported, but their figures stay",
        )
    else:
        yield ok("weights", "those of every completed trial are there")


def _has_changed(store: ArtifactStore, digest: str) -> bool:
    found = hashlib.sha256()
    try:
        for chunk in store.chunks(digest):
            found.update(chunk)
    except ResnasError:  # deleted since it was listed
        return False
    return found.hexdigest() != digest


def _delete(store: ArtifactStore, digests: set[str]) -> None:
    for digest in digests:
        if _has_changed(store, digest):  # not written again since it was looked at
            store.delete(digest)


def _lose(store: ArtifactStore, care: Care, lost: list[Needed]) -> None:
    """Mark the exports as failed whose files have not come back in the meantime."""
    gone = [
        each.id for each in lost if not store.holds(each.digest) or _has_changed(store, each.digest)
    ]
    care.lose(gone, _LOST)


def _sweep(settings: Settings) -> None:
    repository = Repository.connect(settings.database, 1)
    try:
        sweeping.sweep(settings, repository)
    finally:
        repository.close()
