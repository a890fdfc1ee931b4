"""What a shell may offer behind a word that has been begun.

It must answer at once and never with a message: names come from folders, ids from a server only
where one answers quickly. Nothing here imports torch.
"""

from __future__ import annotations

import os
import pkgutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from resnas import catalog
from resnas.errors import ResnasError
from service.answers import Job
from service.commands.connecting import connect
from service.console import achieved, gmacs, share

if TYPE_CHECKING:
    from service.client import Client

Offer = tuple[str, str]
"""A word, and what it stands for."""

_PATIENCE = 0.6
"""Seconds that a person who has pressed Tab waits for a server."""
_MOST = 50
"""Ids that are offered: the newest."""
_FRONTS = 3
"""Jobs whose architectures are offered."""


def jobs(incomplete: str) -> list[Offer]:
    """Ids of jobs."""
    return _asked(lambda client: _jobs(client, incomplete, lambda _: True))


def running_jobs(incomplete: str) -> list[Offer]:
    """Ids of jobs that have not ended."""
    return _asked(lambda client: _jobs(client, incomplete, lambda job: not job.ended))


def failed_jobs(incomplete: str) -> list[Offer]:
    """Ids of jobs that have failed."""
    return _asked(lambda client: _jobs(client, incomplete, lambda job: job.state == "failed"))


def architectures(incomplete: str) -> list[Offer]:
    """Ids of architectures on the fronts of the newest jobs, and of those jobs."""
    return _asked(lambda client: _architectures(client, incomplete))


def backbones(incomplete: str) -> list[Offer]:
    """Names of backbones; those of other libraries as the server lists them."""
    own = [(name, "") for name in _backbones()]
    if "/" not in incomplete or incomplete.startswith("own/"):
        return own
    return _asked(
        lambda client: [(each.name, "") for each in client.backbones(f"{incomplete}*")[:_MOST]]
    )


def datasets() -> list[str]:
    """Names of data sets."""
    return list(catalog.datasets)


def resizers() -> list[str]:
    """Names of resizers."""
    return list(catalog.resizers)


def layers() -> list[str]:
    """Names of layers."""
    return list(catalog.layers)


def strategies() -> list[str]:
    """Names of strategies."""
    return list(catalog.strategies)


def formats() -> list[str]:
    """Names of file formats."""
    return list(catalog.exporters)


def executors() -> list[str]:
    """Names of what trials run in."""
    return list(catalog.executors)


def _asked(ask: Callable[[Client], list[Offer]]) -> list[Offer]:
    """What a server answers; nothing where none does, or not in time."""
    try:
        with connect(_PATIENCE) as client:
            return ask(client)
    except (ResnasError, OSError, ValueError):
        return []


def _jobs(client: Client, incomplete: str, wanted: Callable[[Job], bool]) -> list[Offer]:
    found = (job for job in islice(client.jobs(), _MOST) if wanted(job))
    return [(job.id, _about(job)) for job in found if job.id.startswith(incomplete)]


def _about(job: Job) -> str:
    spec = job.spec
    asked = f"{spec.backbone} on {spec.dataset} under {gmacs(spec.budget_gmacs)} GMACs"
    return f"{job.state}, {job.trials_done}/{job.trials_total}, {asked}"


def _architectures(client: Client, incomplete: str) -> list[Offer]:
    """Newest jobs first, until there are many; each job stands for its best."""
    offers: list[Offer] = []
    for job in islice((job for job in client.jobs() if job.trials_done), _FRONTS):
        if job.best:
            offers.append((job.id, f"best under the budget: {achieved(job.best)}"))
        offers += [
            (each.architecture_id, f"{share(each.val_accuracy)} at {gmacs(each.gmacs)} GMACs")
            for each in client.front(job.id).points
        ]
    return [offer for offer in offers if offer[0].startswith(incomplete)][:_MOST]


def _backbones() -> Iterator[str]:
    """This program's and own ones: files in folders, looked up without importing any."""
    package = find_spec("search_spaces")
    folders = package.submodule_search_locations if package else None
    for module in pkgutil.iter_modules(folders or ()):
        if not module.ispkg and not module.name.startswith("_"):
            yield module.name
    if named := os.environ.get("RESNAS_BACKBONES_DIR"):
        yield from sorted(f"own/{path.stem}" for path in Path(named).glob("*.py"))
