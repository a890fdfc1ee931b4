"""A job with all that comes of one, in the store."""

from __future__ import annotations

from dataclasses import dataclass

from resnas.results import Architecture
from resnas.storage import ArtifactStore
from service.store.repository import Repository
from service.transitions import Event, moves
from tests.service.conftest import ESTIMATE, SPEC, result

_SITES = {f"stage{stage}.0.depthwise.conv": 32 // 2**stage for stage in (1, 2, 3)}
ARCHITECTURE = Architecture(
    backbone="mobilenet_small",
    num_classes=10,
    input_size=(1, 32, 32),
    resizer="dynopool",
    place="after",
    strides=dict.fromkeys(_SITES, (2.0, 2.0)),
    sizes={site: (size, size) for site, size in _SITES.items()},
)
"""One that its backbone really has: the human one."""
CONTENT = b"what was exported" * 100


@dataclass(frozen=True)
class Stored:
    """The ids of a job that has succeeded, of its one architecture and of the file of that."""

    job_id: str
    architecture_id: str
    export_id: str


def succeeded(
    repository: Repository, artifacts: ArtifactStore, owner: str, content: bytes = CONTENT
) -> Stored:
    """A job of `owner` with a completed trial, whose network was exported with that content."""
    job = repository.jobs.add(SPEC, ESTIMATE, owner)
    _, lease = repository.jobs.claim("one", 60, moves(Event.CLAIM))
    assert lease.id == job.id
    weights = artifacts.put(b"weights")
    found = result(accuracy=0.9, weights=weights).model_copy(update={"architecture": ARCHITECTURE})
    repository.trials.record(lease, found)
    repository.jobs.finish(lease, moves(Event.SUCCEED))
    architecture_id = repository.trials.page(job.id, 1)[0].architecture_id
    export = repository.exports.add(architecture_id, "onnx")
    _, lease = repository.exports.claim("one", 60, moves(Event.CLAIM))
    assert lease.id == export.id
    digest = artifacts.put(content)
    repository.exports.deliver(
        lease,
        moves(Event.SUCCEED),
        file_name="model.onnx",
        size=len(content),
        sha256=digest,
        manifest={},
    )
    return Stored(job.id, architecture_id, export.id)
