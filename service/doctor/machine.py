"""Checks of this machine: what is installed, and what the settings point at."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sqlite3
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import httpx

from service.doctor.findings import Finding, broken, ok, warning
from service.lock import database_file
from service.settings import Settings, tighten
from service.store.sqlite_file import refuse_network

_PACKAGES = ("resnas", "torch", "ray", "optuna", "sqlalchemy", "fastapi", "pydantic")
_LITTLE, _TOO_LITTLE = 5 * 2**30, 200 * 2**20
"""Bytes free on the disk below which something is said: checkpoints, backups, exported files."""
_PATIENCE = 3.0
"""Seconds that a port is given to answer."""
_REPAIRED_RESETS = {(3, 44): 6, (3, 50): 7}
"""Older SQLites that got the repair, too: from which patch on."""


def versions(settings: Settings) -> Iterator[Finding]:
    """What is installed."""
    del settings
    found = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    yield ok("versions", f"Python {platform.python_version()}, {found}")


def sqlite(settings: Settings) -> Iterator[Finding]:
    """The SQLite that Python was built with."""
    found = sqlite3.sqlite_version
    if not may_corrupt(tuple(map(int, found.split(".")))):
        yield ok("SQLite library", found)
        return
    bug = f"{found} can corrupt a WAL database that several connections write (fixed in 3.51.3)"
    if settings.on_sqlite:
        yield warning(
            "SQLite library",
            f"{bug}. One process writes yours, as `resnas serve` sees to: that keeps it safe",
            "Update SQLite to 3.51.3, 3.50.7 or 3.44.6 when you can; open the file with no "
            "other program that writes",
        )
    else:
        yield ok("SQLite library", f"{bug}; not used: the database is PostgreSQL")


def may_corrupt(library: tuple[int, ...]) -> bool:
    """Whether that version of SQLite has the WAL-reset bug."""
    if not (3, 7, 0) <= library < (3, 51, 3):
        return False
    repaired = _REPAIRED_RESETS.get((library[0], library[1]))
    return repaired is None or library[2] < repaired


def disk(settings: Settings) -> Iterator[Finding]:
    """Room where the data lie."""
    place = _nearest(settings.data_dir)
    free = shutil.disk_usage(place).free
    found = f"{free / 2**30:.1f} GiB free at {place}"
    if free < _TOO_LITTLE:
        yield broken("disk", found, "Make room: jobs fail with the reason storage_full")
    elif free < _LITTLE:
        yield warning("disk", found, "Make room before the next large search")
    else:
        yield ok("disk", found)


def data_dir(settings: Settings) -> Iterator[Finding]:
    """The folder of all data: there, ours, and nobody else's."""
    folder = settings.data_dir
    if not folder.exists():
        if os.access(_nearest(folder), os.W_OK):
            yield ok("data directory", f"{folder} is not there yet: the first start makes it")
        else:
            yield _unwritable(folder, "it cannot be made")
        return
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"resnas")
    except OSError as error:
        yield _unwritable(folder, f"it cannot be written: {error.strerror}")
        return
    if settings.on_sqlite:
        refuse_network(database_file(settings))
    yield _private("data directory", folder, 0o700) or ok("data directory", f"{folder}")


def token(settings: Settings) -> Iterator[Finding]:
    """The first key."""
    path = settings.token_path
    if not path.exists():
        yield ok("token", "not there yet: the first start makes it")
        return
    try:
        empty = not path.read_text(errors="replace").strip()
    except OSError as error:
        yield broken("token", f"{path} cannot be read: {error.strerror}", "Make it readable")
        return
    if empty:
        yield broken("token", f"{path} is empty", "Delete it; the next start makes one")
    else:
        yield _private("token", path, 0o600) or ok("token", f"{path}, readable by its owner only")


def folders(settings: Settings) -> Iterator[Finding]:
    """Image data and own backbones."""
    folder = settings.datasets_dir
    if not folder.exists():
        yield ok("datasets", f"{folder} is not there: only `digits`, which needs no files, works")
    elif not folder.is_dir() or not os.access(folder, os.R_OK | os.X_OK):
        yield broken(
            "datasets", f"{folder} cannot be read", "Point RESNAS_DATASETS_DIR at a folder"
        )
    else:
        yield ok("datasets", f"{sum(1 for _ in folder.iterdir())} entries in {folder}")
    own = settings.backbones_dir
    if own is not None and not own.is_dir():
        yield broken("own backbones", f"{own} is no folder", "Correct RESNAS_BACKBONES_DIR")


def port(settings: Settings) -> Iterator[Finding]:
    """Where the server listens, or will."""
    if settings.port == 0:
        yield ok("port", "any free one")
        return
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    where = f"[{host}]:{settings.port}" if ":" in host else f"{host}:{settings.port}"
    if not _is_taken(host, settings.port):
        yield ok("port", f"{where} is free")
    elif _is_ours(where):
        yield ok("port", f"a resnas server answers at {where}")
    else:
        yield broken(
            "port",
            f"another program has {where}",
            f"Pass another port, for example --port {settings.port + 1}, or stop what uses it",
        )


def gpu(settings: Settings) -> Iterator[Finding]:
    """What trains."""
    del settings
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    names = ", ".join(torch.cuda.get_device_name(index) for index in range(count))
    yield ok("GPU", names or "none: trials run on the processors")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "(not installed)"


def _nearest(path: Path) -> Path:
    """The path or the nearest folder above it that is there."""
    return next(each for each in (path, *path.parents) if each.exists())


def _unwritable(folder: Path, found: str) -> Finding:
    step = "Pass --data-dir or set RESNAS_DATA_DIR to a folder of yours"
    return broken("data directory", f"{folder}: {found}", step)


def _private(check: str, path: Path, mode: int) -> Finding | None:
    found = path.stat().st_mode & 0o777
    if not found & ~mode:
        return None
    step = f"chmod {mode:o} {path}; the next start does it, too"
    return warning(
        check, f"{path} is open to others (mode {found:o})", step, lambda: tighten(path, mode)
    )


def _is_taken(host: str, number: int) -> bool:
    try:
        with socket.create_connection((host, number), timeout=_PATIENCE):
            return True
    except OSError:
        return False


def _is_ours(where: str) -> bool:
    try:
        answer = httpx.get(f"http://{where}/livez", timeout=_PATIENCE, trust_env=False)
        return bool(answer.json() == {"status": "ok"})
    except (httpx.HTTPError, ValueError):
        return False
