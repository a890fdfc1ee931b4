"""All checks, one after the other; none of them can end the examination."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from resnas.errors import ResnasError
from service.doctor import database as rows
from service.doctor import files, machine
from service.doctor.findings import Finding, Level, broken
from service.doctor.ray import ray
from service.errors import StartRefused
from service.lock import sole_user
from service.settings import Settings
from service.store.care import Care
from service.store.session import Database

_Check = Callable[[], Iterable[Finding]]


def examine(settings: Settings, *, repair: bool = False) -> list[Finding]:
    """What every check has found.

    Args:
        settings: of the installation.
        repair: whether to do what is safe about it; on SQLite not while a server works with it.
    """
    findings = _all(_of_the_machine(settings))
    database, finding = _opened(settings)
    findings.append(finding)
    with ExitStack() as last:
        if database is not None:
            last.callback(database.close)
            findings += _all(_of_the_data(settings, database))
        return _repaired(settings, findings) if repair else findings


def _of_the_machine(settings: Settings) -> Iterator[tuple[str, _Check]]:
    yield "versions", partial(machine.versions, settings)
    yield "SQLite library", partial(machine.sqlite, settings)
    yield "GPU", partial(machine.gpu, settings)
    yield "Ray", partial(ray, settings)
    yield "disk", partial(machine.disk, settings)
    yield "data directory", partial(machine.data_dir, settings)
    yield "token", partial(machine.token, settings)
    yield "datasets", partial(machine.folders, settings)
    yield "port", partial(machine.port, settings)
    yield "in use by", partial(rows.lock, settings)


def _of_the_data(settings: Settings, database: Database) -> Iterator[tuple[str, _Check]]:
    care = Care(database)
    yield "foreign keys", partial(rows.foreign_keys, database)
    yield "clocks", partial(rows.clocks, care)
    yield "API keys", partial(rows.keys, settings, database)
    yield "leases", partial(rows.leases, care)
    yield "events", partial(rows.events, care)
    yield "trial counts", partial(rows.counts, care)
    yield "artifacts", partial(files.artifacts, settings, care)
    yield "unneeded files", partial(files.unneeded, settings, care)


def _all(checks: Iterable[tuple[str, _Check]]) -> list[Finding]:
    return [finding for name, check in checks for finding in _whatever(name, check)]


def _whatever(name: str, check: _Check) -> list[Finding]:
    """What the check finds; what breaks it is a finding, too."""
    try:
        return list(check())
    except Exception as error:  # noqa: BLE001 - a damaged installation is what this is for
        return [_failure(name, error)]


def _opened(settings: Settings) -> tuple[Database | None, Finding]:
    try:
        return rows.opened(settings)
    except Exception as error:  # noqa: BLE001 - whatever keeps it from being opened is the finding
        return None, _failure("database", error)


def _failure(name: str, error: Exception) -> Finding:
    if isinstance(error, ResnasError):
        return broken(name, f"{error.place}: {error.found}", error.next_step)
    said = str(getattr(error, "orig", None) or error).strip().splitlines() or [""]
    found = f"it could not be looked at: {type(error).__name__}: {said[0]}"
    return broken(name, found, "Do what the message asks for, then run the doctor again")


def _repaired(settings: Settings, findings: list[Finding]) -> list[Finding]:
    """Do all repairs, alone."""
    if not any(finding.repair for finding in findings):
        return findings
    try:
        with sole_user(settings):
            return [_mended(finding) for finding in findings]
    except StartRefused as refusal:
        found = f"nothing was repaired: {refusal.place}: {refusal.found}"
        return [*findings, broken("repair", found, "Stop that process first")]


def _mended(finding: Finding) -> Finding:
    if finding.repair is None:
        return finding
    try:
        finding.repair()
    except Exception as error:  # noqa: BLE001 - the other repairs are done all the same
        return replace(finding, found=f"{finding.found}; it could not be repaired: {error}")
    return replace(finding, level=Level.OK, next_step="", repaired=True)
