"""What a worker and its child processes tell each other: one JSON object a line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, TypeAdapter

from resnas.manifest import Manifest
from resnas.results import Architecture, EpochMetrics, TrialResult, Value
from resnas.spec import JobSpec
from service.errors import Failure

Location = Annotated[str, BeforeValidator(str)]
"""A path or the URL of a storage."""


class SearchTask(Value):
    """Run a search; `finished` are the trials of earlier attempts."""

    kind: Literal["search"] = "search"
    spec: JobSpec
    finished: tuple[TrialResult, ...]
    executor: str
    ray_address: str | None
    datasets_dir: Path
    backbones_dir: Path | None = None
    artifacts_dir: Location
    work_dir: Location


class ExportTask(Value):
    """Write one trained network as a file."""

    kind: Literal["export"] = "export"
    architecture: Architecture
    result: TrialResult
    format: str
    multiple_of: int = 1
    dataset: str
    datasets_dir: Path
    backbones_dir: Path | None = None
    artifacts_dir: Location


class Epoch(Value):
    """An epoch of a trial ended."""

    kind: Literal["epoch"] = "epoch"
    metrics: EpochMetrics


class Trial(Value):
    """A trial ended."""

    kind: Literal["trial"] = "trial"
    result: TrialResult


class Done(Value):
    """The search ended well."""

    kind: Literal["done"] = "done"


class File(Value):
    """The file that was asked for is in the artifact store."""

    kind: Literal["file"] = "file"
    name: str
    size: int
    sha256: str
    manifest: Manifest


class Failed(Value):
    """It cannot be done, and trying again would not help."""

    kind: Literal["failed"] = "failed"
    failure: Failure


class Stopped(Value):
    """It ended early because it was asked to."""

    kind: Literal["stopped"] = "stopped"


class Crashed(Value):
    """It broke on something that nobody thought of; trying again may help."""

    kind: Literal["crashed"] = "crashed"
    reason: str


Task = Annotated[SearchTask | ExportTask, Field(discriminator="kind")]
Message = Annotated[
    Epoch | Trial | Done | File | Failed | Stopped | Crashed, Field(discriminator="kind")
]

TASK: TypeAdapter[SearchTask | ExportTask] = TypeAdapter(Task)
MESSAGE: TypeAdapter[Epoch | Trial | Done | File | Failed | Stopped | Crashed] = TypeAdapter(
    Message
)
STOP = "stop"
"""The line that asks a child process to end early."""
