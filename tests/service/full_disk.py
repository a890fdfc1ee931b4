"""A program that works where there is no room; run in a mount namespace of its own.

Its argument is an empty folder; it prints, as JSON, what became of a job and of the database.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from sqlalchemy.exc import OperationalError

from resnas.spec import JobSpec, TrainingSpec
from service.runs import JobRun
from service.settings import Settings
from service.store.repository import Repository
from service.store.sqlite_file import damage
from service.transitions import Event, moves

SPEC = JobSpec(
    backbone="vgg_small",
    dataset="digits",
    budget_gmacs=0.1,
    trials=1,
    training=TrainingSpec(epochs=1, batch_size=512),
)


def main(folder: Path) -> None:
    """Two disks are too small: that of the weights, then that of the database."""
    settings = Settings(data_dir=folder / "data", executor="inline")
    settings.prepare()
    _disk(settings.data_dir / "artifacts", "64k")
    small = folder / "small"
    small.mkdir()
    _disk(small, "1m")
    found = {"job": _job(settings), "database": _database(small)}
    sys.stdout.write(json.dumps(found))


def _disk(folder: Path, size: str) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    subprocess.run(mount, check=True, stdin=subprocess.DEVNULL)


def _job(settings: Settings) -> dict[str, object]:
    """A job whose weights find no room."""
    repository = Repository.open(settings.database)
    job = repository.jobs.add(SPEC, {})
    claimed = repository.jobs.claim("one", 60, moves(Event.CLAIM))
    assert claimed
    JobRun(settings, repository, *claimed).follow()
    ended = repository.jobs.get(job.id)
    assert ended
    repository.close()
    return {
        "state": ended.state,
        "crashes": ended.crashes,
        "error": ended.error and ended.error.model_dump(),
        "damage": damage(settings.data_dir / "resnas.sqlite3"),
    }


def _database(folder: Path) -> dict[str, object]:
    """A database whose disk fills up, and has room again."""
    file = folder / "resnas.sqlite3"
    repository = Repository.open(f"sqlite:///{file}")
    accepted, refused = 0, ""
    while not refused:
        try:
            repository.jobs.add(SPEC, {"room": "x" * 4000})
            accepted += 1
        except OperationalError as error:
            refused = str(error.orig)
    there = len(repository.jobs.page(10_000))
    _disk_grows(folder)
    repository.jobs.add(SPEC, {})
    after = len(repository.jobs.page(10_000))
    repository.close()
    return {
        "accepted": accepted,
        "refused": refused,
        "there": there,
        "after": after,
        "damage": damage(file),
    }


def _disk_grows(folder: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=8m", str(folder)], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
