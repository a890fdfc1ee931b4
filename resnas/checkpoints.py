"""Where the trials of a search keep their state while they run."""

from __future__ import annotations

from pathlib import Path

from resnas.storage import StoredFile


def checkpoint_of(work_dir: Path | str, number: int) -> StoredFile:
    """Where trial `number` keeps its state while it runs."""
    return StoredFile(f"{work_dir}/trial-{number}.pt")
